"""What stands in a message: JSON with headers, text and the attachment's name; the attachment's invoice XML is taken out by
the `factur-x` package.

Usage: read_mail.py FILE
"""

import email
import email.policy
import json
import sys

from facturx import get_xml_from_pdf

with open(sys.argv[1], "rb") as file:
    message = email.message_from_binary_file(file, policy=email.policy.default)
attachment = next(message.iter_attachments())
pdf = attachment.get_payload(decode=True)
name, xml = get_xml_from_pdf(pdf, check_xsd=True)
found = {
    "subject": message["subject"],
    "to": message["to"],
    "message_id": message["message-id"],
    "text": message.get_body(("plain",)).get_content(),
    "file": attachment.get_filename(),
    "type": attachment.get_content_type(),
    "xml_name": name,
    "xml": xml.decode("utf-8"),
}
print(json.dumps(found))
