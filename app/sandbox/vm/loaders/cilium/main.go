// Loads the programs of an object, each by itself, with one version of cilium/ebpf. Nothing is
// attached. Who runs it sees what it hands to the kernel; here it prints only what the loader says.
package main

import (
	"fmt"
	"os"
	"sort"
	"strings"

	"github.com/cilium/ebpf"
)

func main() {
	wanted := map[string]bool{}
	for _, name := range os.Args[2:] {
		wanted[name] = true
	}
	all, err := ebpf.LoadCollectionSpec(os.Args[1])
	if err != nil {
		fmt.Printf("!\t\t%s\n", line(err))
		os.Exit(1)
	}
	names := make([]string, 0, len(all.Programs))
	for name := range all.Programs {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if len(wanted) == 0 || wanted[name] {
			load(all, name)
		}
	}
}

// One program, with all maps of the object.
func load(all *ebpf.CollectionSpec, name string) {
	spec := all.Copy()
	for other := range spec.Programs {
		if other != name {
			delete(spec.Programs, other)
		}
	}
	for _, mapSpec := range spec.Maps {
		mapSpec.Pinning = ebpf.PinNone
	}
	collection, err := ebpf.NewCollection(spec)
	if err != nil {
		fmt.Printf("-\t%s\t%s\n", name, line(err))
		return
	}
	collection.Close()
	fmt.Printf("+\t%s\t\n", name)
}

// The verifier's log is seen elsewhere; the error is told in one line.
func line(err error) string {
	return strings.ReplaceAll(err.Error(), "\n", " ")
}
