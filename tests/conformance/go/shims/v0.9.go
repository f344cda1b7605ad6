package main

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// This version reads the contents of .bss, which Go's ELF reader refuses since Go 1.21. So the
// section becomes one that has contents: zeros behind the end of the file.
func loadCollection(path string) (*ebpf.CollectionSpec, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	collection, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(withContents(data)))
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", path, err)
	}
	return collection, nil
}

func withContents(data []byte) []byte {
	const typeAt, offsetAt, sizeAt = 4, 24, 32 // in a section header of 64 bits
	file, err := elf.NewFile(bytes.NewReader(data))
	if err != nil || file.Class != elf.ELFCLASS64 {
		return data
	}
	order := file.ByteOrder
	headers, each := order.Uint64(data[40:]), uint64(order.Uint16(data[58:]))
	for number, section := range file.Sections {
		if section.Type != elf.SHT_NOBITS {
			continue
		}
		header := data[headers+uint64(number)*each:]
		order.PutUint32(header[typeAt:], uint32(elf.SHT_PROGBITS))
		order.PutUint64(header[offsetAt:], uint64(len(data)))
		data = append(data, make([]byte, order.Uint64(header[sizeAt:]))...)
	}
	return data
}

func coreRelocate(spec *ebpf.ProgramSpec, relos []*btf.CORERelocation, target *btf.Spec, _ []module) ([]btf.COREFixup, error) {
	return btf.CORERelocate(spec.BTF, target, relos)
}

func fixupError(fixup *btf.COREFixup, _ *btf.CORERelocation, err error) error {
	return fmt.Errorf("apply fixup %s: %w", fixup, err)
}
