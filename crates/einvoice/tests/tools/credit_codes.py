"""Judges unified social credit codes with python-stdnum.

Reads from standard input one code a line; prints one line for each: `valid` or `invalid`.
"""

import sys

from stdnum.cn import uscc

for line in sys.stdin:
    print("valid" if uscc.is_valid(line.strip()) else "invalid")
