"""Reads each picture named on the command line with zxing-cpp.

Prints one line a picture: the kind of symbol, a tab, and its text in hexadecimal UTF-8.
Ends with status 1 at the first picture without exactly one symbol.
"""

import sys

import numpy
import zxingcpp
from PIL import Image

for path in sys.argv[1:]:
    # Transparent pixels become black here, so that a picture without its own ground fails.
    picture = Image.open(path).convert("RGBA")
    ground = Image.new("RGBA", picture.size, "black")
    pixels = numpy.asarray(Image.alpha_composite(ground, picture).convert("L"))
    found = zxingcpp.read_barcodes(pixels)
    if len(found) != 1:
        sys.exit(f"{path}: {len(found)} symbols instead of one")
    print(found[0].format, found[0].text.encode().hex(), sep="\t")
