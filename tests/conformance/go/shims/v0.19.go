package main

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

func loadCollection(path string) (*ebpf.CollectionSpec, error) {
	return ebpf.LoadCollectionSpec(path)
}

// All modules are searched.
func coreRelocate(spec *ebpf.ProgramSpec, relos []*btf.CORERelocation, target *btf.Spec, modules []module) ([]btf.COREFixup, error) {
	targets := []*btf.Spec{target}
	for _, each := range modules {
		loaded, err := each.load(target)
		if err != nil {
			return nil, fmt.Errorf("load BTF for kmod %s: %w", each.name, err)
		}
		targets = append(targets, loaded)
	}
	var ids btf.Builder
	return btf.CORERelocate(relos, targets, spec.ByteOrder, ids.Add)
}

func fixupError(_ *btf.COREFixup, relo *btf.CORERelocation, err error) error {
	return fmt.Errorf("fixup for %s: %w", relo, err)
}
