"""Listens to each WAV file named on the command line with ggwave.

The first argument is the level of white noise to add, as a share of the signal's own (root mean
square); with noise the sound also begins off the receiver's frame grid. Prints one line a file: the
text in hexadecimal. Ends with status 1 at the first file in which not exactly one message is heard.
"""

import sys
import wave

import ggwave
import numpy

CHUNK_SAMPLES = 1024


def samples_of(path):
    with wave.open(path, "rb") as file:
        shape = (file.getnchannels(), file.getsampwidth(), file.getframerate())
        if shape != (1, 2, 48000):
            sys.exit(f"{path}: channels, bytes and rate are {shape}")
        data = file.readframes(file.getnframes())
    return numpy.frombuffer(data, dtype="<i2").astype(numpy.float32) / 32768


def with_noise(samples, share):
    if share == 0:
        return samples
    source = numpy.random.default_rng(9)
    samples = numpy.concatenate([numpy.zeros(531, numpy.float32), samples])
    level = share * numpy.sqrt(numpy.mean(samples**2))
    return samples + source.normal(0, level, samples.size).astype(numpy.float32)


def heard(samples):
    listener = ggwave.init(ggwave.getDefaultParameters())
    padding = numpy.zeros(-samples.size % CHUNK_SAMPLES, numpy.float32)
    chunks = numpy.concatenate([samples, padding]).reshape(-1, CHUNK_SAMPLES)
    answers = [ggwave.decode(listener, chunk.tobytes()) for chunk in chunks]
    ggwave.free(listener)
    return [answer for answer in answers if answer]


ggwave.disableLog()
noise = float(sys.argv[1])
for path in sys.argv[2:]:
    messages = heard(with_noise(samples_of(path), noise))
    if len(messages) != 1:
        sys.exit(f"{path}: {len(messages)} messages instead of one")
    print(messages[0].hex())
