"""A real SMTP server on loopback: keeps each message as a file, refuses what its folder's file `refuse` says.

Usage: mail_server.py FOLDER. Prints its port, then runs until its standard input ends.
"""

import sys
from pathlib import Path

from aiosmtpd.controller import Controller

FOLDER = Path(sys.argv[1])


class Keeper:
    count = 0

    async def handle_DATA(self, server, session, envelope):
        refusal = FOLDER / "refuse"
        if refusal.exists():
            return refusal.read_text().strip()
        Keeper.count += 1
        (FOLDER / f"{Keeper.count}.eml").write_bytes(envelope.content)
        return "250 taken"


class AnyPort(Controller):
    """Port 0: the system chooses a free one."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


controller = AnyPort(Keeper(), hostname="127.0.0.1", port=0)
controller.start()
print(controller.port, flush=True)
sys.stdin.read()
controller.stop()
