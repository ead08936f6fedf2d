#!/usr/bin/env python3
"""An invoice platform of a third party: the contract docs/contracts/invoicing.json on Python's standard library alone.

It keeps its documents in a SQLite file of its own, takes its own gap-free numbers, and writes each document as UBL 2.1.
What it does not do, and a product would: rules of EN 16931 beyond the sums, PDF, delivery, TLS (put it behind a proxy that
asks for client certificates, or run it on the machine of the caller).

    python3 invoice_platform.py --port 9000 --database invoices.db
    onescan contract test --platform invoicing http://127.0.0.1:9000
"""

import argparse
import base64
import datetime
import decimal
import hashlib
import json
import re
import sqlite3
import sys
import threading
import xml.etree.ElementTree as xml
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTRACT = "1.0"
UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
CBC = UBL + "CommonBasicComponents-2"
CAC = UBL + "CommonAggregateComponents-2"
SUBJECT = re.compile(r"^(pay|bil)_[0-9a-hjkmnp-tv-z]{26}$")
CAUSE = re.compile(r"^(reversal|ref_[0-9a-hjkmnp-tv-z]{26})$")
LARGEST_CALL = 64 << 20

SCHEMA = """
create table if not exists documents (
    merchant text not null,
    key text not null,
    number text not null,
    series text not null,
    running integer not null,
    asked text not null,
    credits text,
    gross_minor integer not null,
    currency text not null,
    issued_on text not null,
    issued_at integer not null,
    ubl blob not null,
    primary key (merchant, key),
    unique (merchant, series, running)
) strict;
"""


class Unreadable(Exception):
    """Not what the contract says; nothing was done."""


class Refused(Exception):
    """The rules say no; nothing was issued."""

    def __init__(self, field, reason):
        super().__init__(reason)
        self.field, self.reason = field, reason


def field(value, name, kind):
    if not isinstance(value, dict) or not isinstance(value.get(name), kind) or isinstance(value.get(name), bool):
        raise Unreadable(f"{name}: missing, or of another type")
    return value[name]


def text(value, name, pattern=None):
    found = field(value, name, str)
    if pattern and not pattern.match(found):
        raise Unreadable(f"{name}: {found!r} is of another form")
    return found


def number(value, name):
    try:
        found = decimal.Decimal(text(value, name))
    except decimal.InvalidOperation:
        raise Unreadable(f"{name}: not a decimal") from None
    if not found.is_finite():
        raise Unreadable(f"{name}: not a decimal")
    return found


def whole(amount):
    return int(amount.quantize(decimal.Decimal(1), rounding=decimal.ROUND_HALF_UP))


def scale_of(currency):
    """How many minor units a major one has. The contract counts in minor units; most currencies have a hundred."""
    return {"JPY": 1, "KRW": 1, "VND": 1, "KWD": 1000, "BHD": 1000, "OMR": 1000, "TND": 1000}.get(currency, 100)


def adjusted(adjustments):
    signs = {"allowance": -1, "charge": 1}
    return sum(signs[text(one, "direction")] * field(one, "amount_minor", int) for one in adjustments)


def totals(document):
    """What each line and each rate comes to in minor units, without tax and as tax. Tax is reckoned once for each rate, as
    EN 16931 does; where prices hold the tax, it is taken out so that the lines' nets add up to their rate's."""
    scale = scale_of(text(document, "currency"))
    gross_prices = text(document, "prices") == "gross"
    reckoned, nets = {}, []
    for line in field(document, "lines", list):
        vat = field(line, "vat", dict)
        rate = (text(vat, "category"), number(vat, "percent"))
        amount = number(line, "quantity") * number(line, "price") / number(line, "price_base") * scale
        before, net_before = reckoned.get(rate, (0, 0))
        after = before + whole(amount) + adjusted(field(line, "adjustments", list))
        net_after = whole(decimal.Decimal(after) * 100 / (100 + rate[1])) if gross_prices else after
        reckoned[rate] = (after, net_after)
        nets.append(net_after - net_before)
    sums = []
    for (category, percent), (amount, net) in sorted(reckoned.items()):
        tax = amount - net if gross_prices else whole(decimal.Decimal(net) * percent / 100)
        sums.append((category, percent, net, tax))
    return sums, nets


def check(document, kind):
    if text(field(document, "kind", dict), "kind") != kind:
        raise Refused("kind", f"must be {kind}")
    if not field(document, "lines", list):
        raise Refused("lines", "an invoice has at least one line")
    for name in ("adjustments", "exemptions", "attachments"):
        if field(document, name, list):
            raise Refused(name, "this issuer takes none")
    for party in ("seller", "buyer"):
        if not text(field(document, party, dict), "name").strip():
            raise Refused(f"{party}.name", "must not be empty")


def write_ubl(document, number_, sums, nets):
    net, tax = sum(nets), sum(one[3] for one in sums)
    gross = net + tax
    currency = text(document, "currency")
    scale = scale_of(currency)
    credit = text(document["kind"], "kind") == "credit_note"
    root_name = "CreditNote" if credit else "Invoice"
    xml.register_namespace("cbc", CBC)
    xml.register_namespace("cac", CAC)
    root = xml.Element(f"{{{UBL}{root_name}-2}}{root_name}")

    def basic(parent, name, value, **attributes):
        element = xml.SubElement(parent, f"{{{CBC}}}{name}", attributes)
        element.text = str(value)

    def group(parent, name):
        return xml.SubElement(parent, f"{{{CAC}}}{name}")

    def money(parent, name, minor):
        digits = len(str(scale)) - 1
        basic(parent, name, f"{decimal.Decimal(minor) / scale:.{digits}f}", currencyID=currency)

    basic(root, "CustomizationID", "urn:cen.eu:en16931:2017")
    basic(root, "ID", number_)
    basic(root, "IssueDate", text(document, "issued_on"))
    basic(root, "CreditNoteTypeCode" if credit else "InvoiceTypeCode", 381 if credit else 380)
    for note in field(document, "notes", list):
        basic(root, "Note", note)
    basic(root, "DocumentCurrencyCode", currency)
    if credit:
        original = field(document["kind"], "original", dict)
        basic(group(group(root, "BillingReference"), "InvoiceDocumentReference"), "ID", text(original, "number"))
    for name, party in (("AccountingSupplierParty", "seller"), ("AccountingCustomerParty", "buyer")):
        facts = document[party]
        element = group(group(root, name), "Party")
        address = group(element, "PostalAddress")
        if facts["address"].get("city"):
            basic(address, "CityName", facts["address"]["city"])
        basic(group(address, "Country"), "IdentificationCode", text(field(facts, "address", dict), "country"))
        if facts.get("vat_id"):
            scheme = group(element, "PartyTaxScheme")
            basic(scheme, "CompanyID", facts["vat_id"])
            basic(group(scheme, "TaxScheme"), "ID", "VAT")
        basic(group(element, "PartyLegalEntity"), "RegistrationName", facts["name"])
    total = group(root, "TaxTotal")
    money(total, "TaxAmount", tax)
    for category, percent, base, amount in sums:
        part = group(total, "TaxSubtotal")
        money(part, "TaxableAmount", base)
        money(part, "TaxAmount", amount)
        kind = group(part, "TaxCategory")
        basic(kind, "ID", category)
        basic(kind, "Percent", percent)
        basic(group(kind, "TaxScheme"), "ID", "VAT")
    sum_ = group(root, "LegalMonetaryTotal")
    prepaid = field(document, "prepaid_minor", int)
    money(sum_, "LineExtensionAmount", net)
    money(sum_, "TaxExclusiveAmount", net)
    money(sum_, "TaxInclusiveAmount", gross)
    money(sum_, "PrepaidAmount", prepaid)
    money(sum_, "PayableAmount", gross - prepaid)
    for line, line_net in zip(document["lines"], nets):
        element = group(root, "CreditNoteLine" if credit else "InvoiceLine")
        basic(element, "ID", text(line, "id"))
        quantity = "CreditedQuantity" if credit else "InvoicedQuantity"
        basic(element, quantity, text(line, "quantity"), unitCode=text(line, "unit"))
        money(element, "LineExtensionAmount", line_net)
        item = group(element, "Item")
        basic(item, "Name", text(line, "name"))
        vat = group(item, "ClassifiedTaxCategory")
        basic(vat, "ID", text(line["vat"], "category"))
        basic(vat, "Percent", text(line["vat"], "percent"))
        basic(group(vat, "TaxScheme"), "ID", "VAT")
        for name, value in field(line, "attributes", list):
            attribute = group(item, "AdditionalItemProperty")
            basic(attribute, "Name", name)
            basic(attribute, "Value", value)
        price = decimal.Decimal(line_net) / scale / number(line, "quantity")
        basic(group(element, "Price"), "PriceAmount", f"{price:.6f}", currencyID=currency)
    return xml.tostring(root, encoding="utf-8", xml_declaration=True)


class Platform:
    """The four calls. One writer at a time; a document and its number are one transaction."""

    def __init__(self, path):
        self.database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.database.execute("pragma journal_mode = wal")
        self.database.execute("pragma synchronous = full")
        self.database.executescript(SCHEMA)
        self.lock = threading.Lock()

    def issue(self, ask):
        request = field(ask, "request", dict)
        key = "invoice:" + text(request, "subject", SUBJECT)
        return self.make(request, key, None, "invoice")

    def credit(self, ask):
        request = field(ask, "request", dict)
        of = "invoice:" + text(request, "of", SUBJECT)
        key = "credit:" + request["of"] + ":" + text(request, "cause", CAUSE)
        return self.make(request, key, of, "credit_note")

    def status(self, ask):
        with self.lock:
            found = self.find(text(ask, "issuer"), text(ask, "key"))
        return standing(found) if found else {"kind": "unknown"}

    def fetch(self, ask):
        form = text(ask, "format")
        if form not in ("pdf", "ubl", "cii", "xrechnung", "peppol"):
            raise Unreadable("format: not one of the contract's")
        with self.lock:
            found = self.find(text(ask, "issuer"), text(ask, "key"))
        return base64.b64encode(found["ubl"]).decode() if found and form == "ubl" else None

    def make(self, request, key, of, kind):
        issuer = field(request, "issuer", dict)
        merchant = text(issuer, "merchant")
        document = field(field(request, "draft", dict), "document", dict)
        asked = hashlib.sha256(json.dumps([issuer, document], sort_keys=True).encode()).hexdigest()
        with self.lock:
            self.database.execute("begin immediate")
            try:
                found = self.find(merchant, key)
                if found and found["asked"] != asked:
                    raise Refused("", "another document was issued under this key")
                if not found:
                    self.write(merchant, key, of, kind, issuer, document, asked)
                    found = self.find(merchant, key)
                self.database.execute("commit")
            except BaseException:
                self.database.execute("rollback")
                raise
        return standing(found)

    def write(self, merchant, key, of, kind, issuer, document, asked):
        check(document, kind)
        sums, nets = totals(document)
        gross = sum(net + tax for _, _, net, tax in sums)
        if of:
            self.check_credit(merchant, of, document, gross)
        numbering = field(issuer, "numbering", dict)
        series = text(numbering, "credit_prefix" if of else "prefix")
        if text(numbering, "year") == "with":
            series += text(document, "issued_on")[:4] + "-"
        last = self.database.execute(
            "select coalesce(max(running), 0) from documents where merchant = ? and series = ?", (merchant, series)
        ).fetchone()[0]
        number_ = f"{series}{last + 1:0{field(numbering, 'width', int)}d}"
        now = int(datetime.datetime.now(datetime.timezone.utc).timestamp() * 1000)
        ubl = write_ubl(document, number_, sums, nets)
        row = (merchant, key, number_, series, last + 1, asked, of, gross, text(document, "currency"))
        self.database.execute(
            "insert into documents values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, text(document, "issued_on"), now, ubl),
        )

    def check_credit(self, merchant, of, document, gross):
        invoice = self.find(merchant, of)
        if not invoice:
            raise Refused("of", "this issuer has issued no such invoice")
        if invoice["currency"] != document["currency"]:
            raise Refused("document.currency", f"the invoice is in {invoice['currency']}")
        credited = self.database.execute(
            "select coalesce(sum(gross_minor), 0) from documents where merchant = ? and credits = ?", (merchant, of)
        ).fetchone()[0]
        if credited + gross > invoice["gross_minor"]:
            raise Refused("document", "more would be credited than the invoice says")

    def find(self, merchant, key):
        cursor = self.database.execute("select * from documents where merchant = ? and key = ?", (merchant, key))
        row = cursor.fetchone()
        return dict(zip((column[0] for column in cursor.description), row)) if row else None


def standing(row):
    ubl = row["ubl"]
    document = {
        "number": row["number"],
        "issued_on": row["issued_on"],
        "issued_at": row["issued_at"],
        "gross": {"minor": row["gross_minor"], "currency": row["currency"]},
        "files": [{"format": "ubl", "sha256": hashlib.sha256(ubl).hexdigest(), "bytes": len(ubl)}],
    }
    return {"kind": "issued", "document": document}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    platform = None
    CALLS = ("issue", "credit", "status", "fetch")

    def do_GET(self):
        if self.path == "/wire/about":
            contracts = [{"name": "invoicing", "version": CONTRACT}]
            return self.answer(200, {"program": "example-invoices", "version": "1.0.0", "contracts": contracts})
        return self.fault(404, "unknown_call", self.path)

    def do_POST(self):
        length = int(self.headers.get("content-length") or 0)
        if length > LARGEST_CALL:
            self.close_connection = True
            return self.fault(400, "unreadable", "too long")
        body = self.rfile.read(length)
        name = self.path.removeprefix("/wire/v1/invoicing/")
        if name not in self.CALLS:
            return self.fault(404, "unknown_call", self.path)
        try:
            return self.answer(200, getattr(self.platform, name)(json.loads(body)))
        except (Unreadable, ValueError, KeyError, TypeError, AttributeError) as wrong:
            return self.fault(400, "unreadable", str(wrong))
        except Refused as refused:
            refusal = {"field": refused.field, "reason": refused.reason}
            return self.answer(200, {"kind": "refused", "refusal": refusal})
        except sqlite3.OperationalError as error:
            return self.fault(503, "unavailable", str(error))

    def fault(self, status, error, detail):
        self.answer(status, {"error": error, "detail": detail})

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Bodies and addresses are nobody's business; the caller logs what went wrong."""


def main():
    arguments = argparse.ArgumentParser(description="An example of an invoice platform behind Onescan's contract.")
    arguments.add_argument("--port", type=int, default=9000, help="0: any that is free; it is printed")
    arguments.add_argument("--database", default="invoices.db")
    chosen = arguments.parse_args()
    Handler.platform = Platform(chosen.database)
    server = ThreadingHTTPServer(("127.0.0.1", chosen.port), Handler)
    print(json.dumps({"address": f"http://127.0.0.1:{server.server_address[1]}"}), flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
