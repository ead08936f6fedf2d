"""Compares the WAV files named on the command line with what ggwave's own sender makes of a text.

Arguments: the text in hexadecimal, then the file, as often as wanted. In the middle of each marker
and of each block the two must have the same tones, and both must last equally long. Ends with
status 1 at the first difference; prints how many files agree.
"""

import sys
import wave

import ggwave
import numpy

AUDIBLE_FAST = 1
FRAME_SAMPLES = 1024
MARKER_FRAMES = 16
BLOCK_FRAMES = 6
PAUSE_FRAMES = 4


def frames_of_file(path):
    with wave.open(path, "rb") as file:
        samples = numpy.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    return samples.reshape(-1, FRAME_SAMPLES)[PAUSE_FRAMES:-PAUSE_FRAMES]


def frames_of_sender(text):
    samples = numpy.frombuffer(ggwave.encode(text, AUDIBLE_FAST, 50), dtype=numpy.float32)
    return samples.reshape(-1, FRAME_SAMPLES)


def chords(frames):
    end = len(frames) - MARKER_FRAMES
    middles = [MARKER_FRAMES // 2]
    middles += range(MARKER_FRAMES + BLOCK_FRAMES // 2, end, BLOCK_FRAMES)
    middles.append(end + MARKER_FRAMES // 2)
    strengths = [numpy.abs(numpy.fft.rfft(frames[middle])) for middle in middles]
    return [set(numpy.flatnonzero(strength > strength.max() / 2)) for strength in strengths]


ggwave.disableLog()
arguments = sys.argv[1:]
pairs = list(zip(arguments[::2], arguments[1::2], strict=True))
for text, path in pairs:
    ours = frames_of_file(path)
    theirs = frames_of_sender(bytes.fromhex(text).decode())
    if ours.shape != theirs.shape or chords(ours) != chords(theirs):
        sys.exit(f"{path}: differs from ggwave's own sound")
print(len(pairs))
