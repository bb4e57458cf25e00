"""What is wrong with a page is found and named with file and line; what is right is left alone."""

import subprocess

import pytest

import check_markdown

LONG = "word " * 25  # 125 characters


@pytest.fixture
def found(tmp_path):
    """Writes files, and says what the check finds in them."""

    def check(**pages):
        subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
        for name, text in pages.items():
            file = tmp_path / name.replace("__", "/").replace("_", ".")
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        return list(check_markdown.check(tmp_path))

    return check


def test_a_line_that_is_too_long_is_named(found):
    assert found(a_md=f"# A\n\n{LONG}.\n") == ["a.md:3: 126 characters; at most 120"]


@pytest.mark.parametrize(
    "text",
    [
        f"| {LONG} |",
        f"```\n{LONG}.\n```",
        f"- a list:\n\n  ```sh\n  {LONG}.\n  ```",
        f"<!-- measured -->\n{LONG}.\n<!-- /measured -->",
        f"[a page](https://example.com/{'x' * 120})",
        f"See https://example.com/{'x' * 120}",
        "ä" * 120,
    ],
)
def test_tables_code_generated_parts_and_links_may_be_long(found, text):
    assert found(a_md=text + "\n") == []


def test_text_after_what_is_exempt_is_looked_at_again(found):
    text = f"```\ncode\n```\n<!-- measured -->\nrows\n<!-- /measured -->\n{LONG}.\n"
    assert found(a_md=text) == ["a.md:7: 126 characters; at most 120"]


def test_a_link_to_a_file_that_is_not_there_is_named(found):
    assert found(a_md="# A\n\n[b](docs/b.md)\n") == [
        "a.md:3: link to docs/b.md: there is no such file"
    ]


def test_a_link_over_two_lines_and_one_in_a_table_are_looked_at(found):
    assert found(a_md="[b\nc](b.md)\n\n| [d](d.md) |\n") == [
        "a.md:1: link to b.md: there is no such file",
        "a.md:4: link to d.md: there is no such file",
    ]


def test_a_link_to_a_heading_that_is_not_there_is_named(found):
    assert found(a_md="# A\n[b](docs/b.md#one)\n[here](#b)\n", docs__b_md="# Two\n") == [
        "a.md:2: link to docs/b.md#one: there is no such heading",
        "a.md:3: link to #b: there is no such heading",
    ]


def test_headings_have_the_anchors_that_github_gives_them(found):
    headings = "# A\n## `code`, and *more*: it's [one](#a)!\n## Twice\n## Twice\n### RabbitMQ 3.10\n"
    links = "[1](#code-and-more-its-one) [2](#twice) [3](#twice-1) [4](#rabbitmq-310)\n"
    assert found(a_md=headings + links) == []
    assert found(a_md=headings + "[5](#twice-2)\n") == [
        "a.md:6: link to #twice-2: there is no such heading"
    ]


def test_links_elsewhere_and_in_code_are_left_alone(found):
    text = "[w](https://example.com) [m](mailto:a@example.com) `[c](c.md)`\n\n```\n[d](d.md)\n```\n"
    assert found(a_md=text) == []


def test_a_page_that_another_file_names_has_to_be_there(found):
    flaws = found(x_sh="# See docs/b.md#two, docs/c.md,\n# other/docs/d.md\n", docs__b_md="# One\n")
    assert flaws == [
        "x.sh:1: docs/b.md#two: there is no such heading",
        "x.sh:1: docs/c.md: there is no such file",
    ]
