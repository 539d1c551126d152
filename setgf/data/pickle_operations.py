"""Operations of pickle's language by their codes: those the machine has, and those it refuses."""

from __future__ import annotations

from collections.abc import Mapping

REFUSED: Mapping[int, tuple[str, str]] = {
    ord("P"): ("PERSID", "line"),
    ord("Q"): ("BINPERSID", ""),
    0x82: ("EXT1", ""),
    0x83: ("EXT2", ""),
    0x84: ("EXT4", ""),
    ord("i"): ("INST", "lines"),
    ord("o"): ("OBJ", ""),
    0x81: ("NEWOBJ", ""),
    0x92: ("NEWOBJ_EX", ""),
    0x97: ("NEXT_BUFFER", ""),
    0x98: ("READONLY_BUFFER", ""),
}
"""Its name, and how many lines of the file name what it asks for.

They make objects of classes, or fetch objects from elsewhere.
"""

STOP = ord(".")
# fmt: off
OPERATIONS: Mapping[int, str] = {
    0x80: "protocol", 0x95: "frame", ord("("): "mark", ord("0"): "pop", ord("1"): "pop_mark",
    ord("2"): "duplicate", ord("N"): "nothing", 0x88: "true", 0x89: "false",
    ord("J"): "integer_4", ord("K"): "integer_1", ord("M"): "integer_2", ord("I"): "integer_line",
    ord("L"): "integer_line", 0x8A: "long_1", 0x8B: "long_4", ord("F"): "float_line",
    ord("G"): "float_8", ord("S"): "old_text_line", ord("T"): "old_text_4",
    ord("U"): "old_text_1", ord("C"): "bytes_1", ord("B"): "bytes_4", 0x8E: "bytes_8",
    0x96: "buffer_8", ord("V"): "text_line", 0x8C: "text_1", ord("X"): "text_4", 0x8D: "text_8",
    ord("]"): "empty_list", 0x8F: "empty_list", ord(")"): "empty_tuple",
    ord("}"): "empty_dictionary", ord("l"): "marked_list", 0x91: "marked_list",
    ord("t"): "marked_tuple", 0x85: "tuple_1", 0x86: "tuple_2", 0x87: "tuple_3",
    ord("a"): "append", ord("e"): "extend", 0x90: "extend", ord("d"): "marked_dictionary",
    ord("s"): "set_item", ord("u"): "set_items", ord("p"): "put_line", ord("q"): "put_1",
    ord("r"): "put_4", 0x94: "memoise", ord("g"): "get_line", ord("h"): "get_1",
    ord("j"): "get_4", ord("c"): "global_line", 0x93: "global_stack", ord("R"): "call",
    ord("b"): "build",
}
# fmt: on
"""Names of the methods of `pickle_machine.Machine`."""
