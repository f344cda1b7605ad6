"""ELF objects: sections, symbols, relocations and the functions they hold."""
