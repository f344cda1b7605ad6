package main

import (
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

func loadCollection(path string) (*ebpf.CollectionSpec, error) {
	return ebpf.LoadCollectionSpec(path)
}

// Only the module that the program attaches to is searched.
func coreRelocate(spec *ebpf.ProgramSpec, relos []*btf.CORERelocation, target *btf.Spec, modules []module) ([]btf.COREFixup, error) {
	targets := []*btf.Spec{target}
	attached, err := attachedModule(spec, target, modules)
	if err != nil {
		return nil, err
	}
	for _, each := range modules {
		if each.name == attached {
			loaded, err := each.load(target)
			if err != nil {
				return nil, fmt.Errorf("load kernel module spec: %w", err)
			}
			targets = append(targets, loaded)
		}
	}
	var ids btf.Builder
	return btf.CORERelocate(relos, targets, spec.ByteOrder, ids.Add)
}

// attachedModule lets the loader decide. That asks /proc/kallsyms; in its place kallsyms.go.txt is
// built in, which reads the answer from the environment: here, who has the function in its BTF.
func attachedModule(spec *ebpf.ProgramSpec, target *btf.Spec, modules []module) (string, error) {
	name := "module of " + spec.AttachTo
	os.Unsetenv(name)
	for _, each := range modules {
		loaded, err := each.load(target)
		if err != nil {
			continue
		}
		var function *btf.Func
		if loaded.TypeByName(spec.AttachTo, &function) == nil {
			os.Setenv(name, each.name)
			break
		}
	}
	return spec.KernelModule()
}

func fixupError(_ *btf.COREFixup, relo *btf.CORERelocation, err error) error {
	return fmt.Errorf("fixup for %s: %w", relo, err)
}
