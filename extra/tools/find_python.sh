#!/bin/sh
# Prints the interpreter to build the environment with, after checking what pip cannot install by itself:
# Python >= 3.10 with venv and pip, and (for PoCL, which links its kernels when it first launches them) the program `ld`.
# PYTHON=... in the environment chooses the interpreter.
say() { printf 'lazygrad: %s\n' "$*" >&2; }

usable() { "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (4,))' >/dev/null 2>&1; }

found=
for candidate in ${PYTHON:-python3 python python3.13 python3.12 python3.11 python3.10}; do
  if usable "$candidate"; then found=$candidate; break; fi
done
if [ -z "$found" ]; then
  say "no Python >= 3.10 found (tried: ${PYTHON:-python3 python python3.13 python3.12 python3.11 python3.10})."
  say "Debian/Ubuntu: sudo apt install python3 python3-venv   Fedora: sudo dnf install python3   macOS: brew install python"
  say "or name one: make PYTHON=/path/to/python3 ..."
  exit 1
fi

if ! "$found" -c 'import ensurepip, venv' >/dev/null 2>&1; then
  version=$("$found" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  say "$found (Python $version) cannot make virtual environments: its venv and ensurepip modules are not installed."
  say "Debian/Ubuntu: sudo apt install python3-venv   (or python$version-venv)"
  exit 1
fi

if [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] && ! command -v ld >/dev/null 2>&1; then
  say "the program 'ld' is missing; PoCL links its OpenCL kernels with it."
  say "Debian/Ubuntu: sudo apt install binutils   Fedora: sudo dnf install binutils   Arch: sudo pacman -S binutils"
  exit 1
fi

command -v "$found"
