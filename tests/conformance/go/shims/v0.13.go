package main

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

func loadCollection(path string) (*ebpf.CollectionSpec, error) {
	return ebpf.LoadCollectionSpec(path)
}

func coreRelocate(spec *ebpf.ProgramSpec, relos []*btf.CORERelocation, target *btf.Spec, _ []module) ([]btf.COREFixup, error) {
	var ids btf.Builder
	return btf.CORERelocate(relos, target, spec.ByteOrder, ids.Add)
}

func fixupError(_ *btf.COREFixup, relo *btf.CORERelocation, err error) error {
	return fmt.Errorf("fixup for %s: %w", relo, err)
}
