"""Builders of test input: BTF, ELF objects and instructions made in memory."""
