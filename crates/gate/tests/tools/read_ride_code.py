"""Reads a ride code with libraries of other makers: base45, cbor2, pycose. Arguments: the text, the issuer's key in hex."""

import sys

import base45
import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from pycose.keys import EC2Key, OKPKey
from pycose.keys.curves import Ed25519, P256
from pycose.messages import Sign1Message


def sign1(parts):
    protected, unprotected, *rest = parts
    return Sign1Message.from_cose_obj([protected, dict(unprotected), *rest], True)


def okp(key):
    return OKPKey(crv=Ed25519, x=key)


def key_of_device(key):
    if len(key) == 32:
        return okp(key)
    numbers = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key).public_numbers()
    return EC2Key(crv=P256, x=numbers.x.to_bytes(32), y=numbers.y.to_bytes(32))


def verified(message, key, what):
    message.key = key
    if not message.verify_signature():
        sys.exit(f"the {what}'s signature does not hold")
    return cbor2.loads(message.payload)


text, issuer = sys.argv[1], bytes.fromhex(sys.argv[2])
assert text.startswith("ORC1:")
tagged = cbor2.loads(base45.b45decode(text.removeprefix("ORC1:")))
assert tagged.tag == Sign1Message.cbor_tag
shown = sign1(tagged.value)
entitlement, _, _ = cbor2.loads(shown.payload)
inner = sign1(entitlement)
issued, valid, device, rules, cap, currency, _, _ = verified(inner, okp(issuer), "issuer")
_, shown_at, counter = verified(shown, key_of_device(device), "device")
print(f"issued {issued} valid {valid} rules {rules.hex()} cap {cap} {currency} shown {shown_at} counter {counter}")
