"""Reads amounts in Chinese capitals, one a line, and prints them in hundredths."""

import sys

DIGITS = {word: value for value, word in enumerate("零壹贰叁肆伍陆柒捌玖")}
SMALL = {"拾": 10, "佰": 100, "仟": 1000}


def whole(text):
    """Any group sign multiplies all that was not yet multiplied by one as large."""
    total, group, digit = 0, 0, 0
    for word in text:
        if word in DIGITS:
            digit = DIGITS[word]
        elif word in SMALL:
            group += digit * SMALL[word]
            digit = 0
        elif word == "万":
            total, group, digit = total + (group + digit) * 10**4, 0, 0
        elif word == "亿":
            total, group, digit = (total + group + digit) * 10**8, 0, 0
        else:
            raise ValueError(word)
    return total + group + digit


def hundredths(text):
    sign = -1 if text.startswith("负") else 1
    text = text.removeprefix("负").removesuffix("整")
    yuan, _, rest = text.rpartition("圆")
    jiao, _, fen = rest.rpartition("角")
    small = DIGITS[jiao[-1]] * 10 if jiao else 0
    if fen:
        small += DIGITS[fen.removesuffix("分")[-1]]
    return sign * (whole(yuan) * 100 + small)


for line in sys.stdin:
    print(hundredths(line.strip()))
