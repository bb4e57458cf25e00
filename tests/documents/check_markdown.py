#!/usr/bin/python3 -B
"""Checks documents: lines of text that are too long, links that lead nowhere.

  check_markdown.py [FOLDER]

Of all Markdown files that git knows in FOLDER (default: this repository):

- A line of text has at most 120 characters. Tables, code blocks, generated parts (between
  <!-- name --> and <!-- /name -->) and the targets of links do not count.
- The file that a relative link names exists, and so does the heading, if it names one.
- In every other file of text, a page named as docs/….md exists.

Prints file:line: what is wrong; status 1 if anything is.
"""

import functools
import pathlib
import re
import subprocess
import sys

TEXT_MAX = 120

CODE = re.compile(r"(`+)(?:(?!\1).)+?\1")
LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]*(?:\([^()\s]*\))?[^()\s]*)(?:\s+\"[^\"]*\")?\)")
ADDRESS = re.compile(r"https?://\S+")
PAGE = re.compile(r"(?<![\w/.-])docs/[\w/-]+\.md(?:#[\w-]+)?")


def tracked(folder):
    names = subprocess.run(
        ["git", "-C", folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True, stdout=subprocess.PIPE, text=True,
    ).stdout
    return [folder / name for name in names.split("\0") if name and (folder / name).is_file()]


def lines_of_text(text):
    """(number, line) of what is neither code nor generated."""
    fence, generated = None, None
    for number, line in enumerate(text.splitlines(), start=1):
        if fence:
            if line.strip().startswith(fence) and not line.strip().strip(fence[0]):
                fence = None
            continue
        if generated:
            if line.strip() == f"<!-- /{generated} -->":
                generated = None
            continue
        if opening := re.match(r"\s*(`{3,}|~{3,})", line):
            fence = opening[1]
            continue
        if opening := re.fullmatch(r"\s*<!-- (\w+) -->\s*", line):
            generated = opening[1]
            continue
        yield number, line


def text_length(line):
    """Without what cannot be broken: targets of links, addresses."""
    return len(ADDRESS.sub("", LINK.sub(lambda link: link[1], line)))


def anchor_of(heading):
    """As GitHub makes it."""
    shown = LINK.sub(lambda link: link[1], heading).replace("`", "").replace("*", "")
    return re.sub(r"[^\w\- ]", "", shown.strip().lower()).replace(" ", "-")


@functools.cache
def anchors_of(page):
    found, seen = set(), {}
    for _, line in lines_of_text(page.read_text()):
        if heading := re.match(r"#{1,6}\s+(.*?)\s*#*$", line):
            anchor = anchor_of(heading[1])
            again = seen.get(anchor, 0)
            seen[anchor] = again + 1
            found.add(f"{anchor}-{again}" if again else anchor)
    return found


def links_of(page):
    """(number, target). A link may go on in the next line."""
    lines = [""] * len(page.read_text().splitlines())
    for number, line in lines_of_text(page.read_text()):
        lines[number - 1] = CODE.sub(lambda code: "`" * len(code[0]), line)
    text = "\n".join(lines)
    for link in LINK.finditer(text):
        yield text.count("\n", 0, link.start()) + 1, link[2]


def flaw_of_link(page, target):
    """What is wrong with a relative link in a page; None if nothing is."""
    name, _, anchor = target.partition("#")
    there = (page.parent / name).resolve() if name else page
    if not there.exists():
        return f"link to {target}: there is no such file"
    if anchor and there.suffix == ".md" and anchor not in anchors_of(there):
        return f"link to {target}: there is no such heading"
    return None


def flaws_of_page(page):
    for number, line in lines_of_text(page.read_text()):
        is_table = line.lstrip().startswith("|")
        is_picture = line.lstrip().startswith("![")
        if not (is_table or is_picture):
            if (length := text_length(line)) > TEXT_MAX:
                yield number, f"{length} characters; at most {TEXT_MAX}"
    for number, target in links_of(page):
        if not re.match(r"[a-z+]+:", target) and (flaw := flaw_of_link(page, target)):
            yield number, flaw


def flaws_of_other_file(folder, file):
    """Comments, scripts and tests that name a page."""
    try:
        text = file.read_text()
    except UnicodeDecodeError:
        return
    for number, line in enumerate(text.splitlines(), start=1):
        for mention in PAGE.finditer(line):
            if flaw := flaw_of_link(folder / "README.md", mention[0]):
                yield number, flaw.removeprefix("link to ")


def check(folder):
    """All flaws, as file:line: text."""
    own = pathlib.Path(__file__).resolve().parent  # names pages that are not there
    for file in tracked(folder):
        name = file.relative_to(folder).as_posix()
        if file.suffix == ".md":
            flaws = flaws_of_page(file)
        elif own in file.resolve().parents:
            continue
        else:
            flaws = flaws_of_other_file(folder, file)
        for number, flaw in flaws:
            yield f"{name}:{number}: {flaw}"


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    folder = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else root
    flaws = list(check(folder))
    for flaw in flaws:
        print(flaw)
    return 1 if flaws else 0


if __name__ == "__main__":
    sys.exit(main())
