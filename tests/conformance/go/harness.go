// Runs the CO-RE relocation of one version of cilium/ebpf on files. Nothing is loaded into a kernel.
//
// Jobs come as lines on standard input, with tabs between id, object, BTF, stage and, if there are
// any, modules (NAME=PATH,...); each is answered by one JSON line in the form of tests/golden. In stage core each instruction slot also
// says which slot of the ELF it was ("from"), so that the ELF's own bytes can be put back where
// cilium/ebpf, while reading the file, rewrote calls and map references.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

type job struct {
	id, object, btf, stage string
	modules                []module
}

// A kernel module with the file that has its split BTF.
type module struct{ name, path string }

func (m module) load(base *btf.Spec) (*btf.Spec, error) {
	file, err := os.Open(m.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return btf.LoadSplitSpecFromReader(file, base)
}

type failure struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

type program struct {
	Section string   `json:"section"`
	Insns   []string `json:"insns"`
	From    []int    `json:"from,omitempty"`
	Error   *failure `json:"error"`
}

type answer struct {
	ID       string             `json:"id"`
	Programs map[string]program `json:"programs"`
	Error    *failure           `json:"error"`
}

// The last target stays in memory: jobs come sorted by it.
type targets struct {
	path string
	spec *btf.Spec
	err  error
}

func (t *targets) load(path string) (*btf.Spec, error) {
	if t.path != path {
		t.spec = nil
		t.path = path
		t.spec, t.err = btf.LoadSpec(path)
	}
	return t.spec, t.err
}

// A map whose file descriptor is 0: what a map reference shows when the map is not known.
type noMap struct{}

func (noMap) FD() int { return 0 }

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24) // a distribution has thousands of modules
	answers := json.NewEncoder(os.Stdout)
	answers.SetEscapeHTML(false)
	known := &targets{}
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) < 4 {
			fmt.Fprintln(os.Stderr, "not a job:", lines.Text())
			os.Exit(2)
		}
		todo := job{id: fields[0], object: fields[1], btf: fields[2], stage: fields[3]}
		if len(fields) > 4 {
			for _, each := range strings.Split(fields[4], ",") {
				name, path, _ := strings.Cut(each, "=")
				todo.modules = append(todo.modules, module{name, path})
			}
		}
		if err := answers.Encode(run(todo, known)); err != nil {
			os.Exit(2)
		}
	}
}

func run(todo job, known *targets) answer {
	done := answer{ID: todo.id, Programs: map[string]program{}}
	collection, err := loadCollection(todo.object)
	if err != nil {
		done.Error = &failure{"LoadCollectionSpec", err.Error()}
		return done
	}
	target, err := known.load(todo.btf)
	if err != nil {
		done.Error = &failure{"btf.LoadSpec", err.Error()}
		return done
	}
	for name, spec := range collection.Programs {
		insns := append(asm.Instructions(nil), spec.Instructions...)
		finished := program{Section: spec.SectionName, Insns: []string{}}
		if todo.stage == "core" {
			insns = entry(insns)
			finished.From = origins(insns)
		}
		if err := relocate(spec, insns, target, todo.modules); err != nil {
			finished.From = nil
			finished.Error = &failure{"relocate", "apply CO-RE relocations: " + err.Error()}
		} else if todo.stage == "core" {
			finished.Insns, finished.From, err = separate(insns, finished.From, spec)
		} else {
			finished.Insns, err = marshal(insns, spec)
		}
		if err != nil && finished.Error == nil {
			finished.Error = &failure{"marshal", err.Error()}
		}
		done.Programs[name] = finished
	}
	return done
}

// relocate does what loading a program does before its instructions are written.
func relocate(spec *ebpf.ProgramSpec, insns asm.Instructions, target *btf.Spec, modules []module) error {
	var relos []*btf.CORERelocation
	var places []*asm.Instruction
	for walk := insns.Iterate(); walk.Next(); {
		if relo := btf.CORERelocationMetadata(walk.Ins); relo != nil {
			relos = append(relos, relo)
			places = append(places, walk.Ins)
		}
	}
	if len(relos) == 0 {
		return nil
	}
	fixups, err := coreRelocate(spec, relos, target, modules)
	if err != nil {
		return err
	}
	for number := range fixups {
		if err := fixups[number].Apply(places[number]); err != nil {
			return fixupError(&fixups[number], relos[number], err)
		}
	}
	return nil
}

// entry cuts off the subprograms that the loader appended while reading the file.
func entry(insns asm.Instructions) asm.Instructions {
	for number := range insns {
		if number > 0 && insns[number].Symbol() != "" {
			return insns[:number]
		}
	}
	return insns
}

// origins gives the first slot of each instruction.
func origins(insns asm.Instructions) []int {
	slot := 0
	slots := make([]int, 0, len(insns))
	for _, insn := range insns {
		slots = append(slots, slot)
		slot++
		if insn.OpCode.IsDWordLoad() {
			slot++
		}
	}
	return slots
}

// separate writes each instruction by itself, with references as the file's reader left them.
func separate(insns asm.Instructions, from []int, spec *ebpf.ProgramSpec) ([]string, []int, error) {
	var all []string
	var slots []int
	for number, insn := range insns {
		var buffer bytes.Buffer
		if _, err := insn.Marshal(&buffer, spec.ByteOrder); err != nil {
			return nil, nil, err
		}
		for offset, slot := range split(buffer.Bytes()) {
			all = append(all, slot)
			slots = append(slots, from[number]+offset)
		}
	}
	return all, slots, nil
}

// marshal writes the whole program, with calls resolved and maps unknown.
func marshal(insns asm.Instructions, spec *ebpf.ProgramSpec) ([]string, error) {
	for walk := insns.Iterate(); walk.Next(); {
		if walk.Ins.IsLoadFromMap() {
			if err := walk.Ins.AssociateMap(noMap{}); err != nil {
				return []string{}, err
			}
		}
	}
	var buffer bytes.Buffer
	if err := insns.Marshal(&buffer, spec.ByteOrder); err != nil {
		return []string{}, err
	}
	return split(buffer.Bytes()), nil
}

func split(data []byte) []string {
	slots := make([]string, 0, len(data)/asm.InstructionSize)
	for start := 0; start < len(data); start += asm.InstructionSize {
		slots = append(slots, hex.EncodeToString(data[start:start+asm.InstructionSize]))
	}
	return slots
}
