#!/usr/bin/env python3
"""Tests of check_layers.py, on small trees made for the purpose."""

import tempfile
import unittest
from pathlib import Path

import check_layers

ARROWS = {"base": (), "gguf": ("base",), "model": ("gguf",), "plm": ("gguf",)}


class CheckLayers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "src").mkdir()

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def breaches(self):
        return check_layers.check(self.root, ARROWS)[0]

    def test_accepts_arrows_that_point_down_also_over_a_folder(self):
        self.write("src/base/error.h", "#include <string>\n")
        self.write("src/model/weights.cpp", '#include "gguf/reader.h"\n#include "base/error.h"\n')
        self.assertEqual(self.breaches(), [])

    def test_refuses_an_arrow_that_points_up_and_names_file_and_line(self):
        self.write("src/gguf/reader.cpp", '\n#include "model/weights.h"\n')
        self.assertEqual(
            self.breaches(), ["src/gguf/reader.cpp:2: gguf must not include model (model/weights.h)"]
        )

    def test_refuses_a_dependency_in_the_build_file(self):
        self.write("src/base/CMakeLists.txt", "plm_add_folder(NAME base DEPS gguf SOURCES a.cpp)\n")
        self.assertEqual(self.breaches(), ["src/base/CMakeLists.txt: base must not link gguf"])

    def test_refuses_a_folder_that_is_not_in_the_table(self):
        self.write("src/misc/a.cpp", "")
        self.assertIn("src/misc: not in the table", self.breaches()[0])

    def test_refuses_includes_that_hide_their_folder(self):
        self.write("src/model/a.cpp", '#include "../gguf/reader.h"\n#include "weights.h"\n')
        self.assertEqual(len(self.breaches()), 2)

    def test_finds_headers_that_include_each_other(self):
        self.write("src/base/a.h", '#include "base/b.h"\n')
        self.write("src/base/b.h", '#include "base/a.h"\n')
        self.assertEqual(
            self.breaches(), ["include cycle: src/base/a.h -> src/base/b.h -> src/base/a.h"]
        )

    def test_nothing_in_src_knows_the_public_headers(self):
        self.write("include/plm/plm.h", '#include "base/error.h"\n')
        self.write("src/base/a.h", '#include "plm/plm.h"\n')
        self.assertEqual(self.breaches(), ["src/base/a.h:1: base must not include plm (plm/plm.h)"])

    def test_public_headers_keep_to_their_arrows(self):
        self.write("include/plm/plm.h", '#include "model/weights.h"\n')
        self.assertEqual(
            self.breaches(), ["include/plm/plm.h:1: plm must not include model (model/weights.h)"]
        )

    def test_refuses_a_table_with_a_cycle(self):
        with self.assertRaises(check_layers.BadArrows):
            check_layers.closure({"a": ("b",), "b": ("a",)})

    def test_the_table_of_the_project_has_no_cycle_and_starts_at_base(self):
        allowed = check_layers.closure(check_layers.ARROWS)
        self.assertEqual(allowed["base"], {"base"})
        self.assertNotIn("model", allowed["kernels"])


if __name__ == "__main__":
    unittest.main()
