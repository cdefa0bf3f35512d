"""A real SMTP server (aiosmtpd) for tests and measurements, with the moods of real ones.

    python server.py PORT FOLDER [mood ...]

Every message that it takes over is a line of FOLDER/accepted.jsonl, written before it answers; with the mood
`keep` the message is in FOLDER/messages as well, byte by byte. Moods:

    later=N      every N-th address is refused for now (451) at its first two attempts
    never=TEXT   addresses with this text are refused for good (550)
    cut=N        every N-th message: the connection is closed before the answer, the message is not taken over
    lost=N       the same, and the message is taken over: the sender cannot know
    slow=MS      every answer to a recipient waits so long
    tls=FOLDER   STARTTLS is required, with server.pem and server.key of FOLDER
    login=U:P    this user and password are required

Prints `ready` and its port when it listens (PORT may be 0). Ends when standard input ends.
"""

import asyncio
import json
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    def __init__(self, folder, moods):
        self.folder, self.moods = folder, moods
        self.accepted = open(os.path.join(folder, "accepted.jsonl"), "a", buffering=1)
        self.messages = 0
        self.attempts = {}
        self.numbers = {}

    async def handle_RCPT(self, server, session, envelope, address, options):
        if "slow" in self.moods:
            await asyncio.sleep(int(self.moods["slow"]) / 1000)
        if self.moods.get("never", "\0") in address:
            return "550 5.1.1 no such user here"
        if "later" in self.moods:
            number = self.numbers.setdefault(address, len(self.numbers))
            self.attempts[address] = self.attempts.get(address, 0) + 1
            if number % int(self.moods["later"]) == 0 and self.attempts[address] <= 2:
                return "451 4.7.1 come back later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server, session, envelope):
        content = envelope.original_content
        self.messages += 1
        if "cut" in self.moods and self.messages % int(self.moods["cut"]) == 0:
            server.transport.abort()
            return "451 4.3.0 closed"
        head = content.split(b"\r\n\r\n", 1)[0].decode("ascii", "replace")
        number = next(line for line in head.split("\r\n") if line.lower().startswith("message-id:"))
        if "keep" in self.moods:
            folder = os.path.join(self.folder, "messages")
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, f"{self.messages:06}.eml"), "wb") as file:
                file.write(content)
        for address in envelope.rcpt_tos:
            line = {"to": address, "id": number[11:].strip(), "from": envelope.mail_from}
            self.accepted.write(json.dumps(line) + "\n")
        if "lost" in self.moods and self.messages % int(self.moods["lost"]) == 0:
            server.transport.abort()
        return "250 2.0.0 taken over"


async def main(port, folder, moods):
    loop = asyncio.get_running_loop()
    handler = Handler(folder, moods)
    options = {"hostname": "mail.test", "data_size_limit": 0, "command_call_limit": None}
    if "tls" in moods:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*(os.path.join(moods["tls"], name) for name in ("server.pem", "server.key")))
        options |= {"tls_context": context, "require_starttls": True}
    if "login" in moods:
        user, password = moods["login"].encode().split(b":")

        def check(server, session, envelope, mechanism, data):
            right = (data.login, data.password) == (user, password)
            return AuthResult(success=right, handled=False)

        options |= {"authenticator": check, "auth_required": True, "auth_require_tls": "tls" in moods}
    listening = await loop.create_server(lambda: SMTP(handler, **options), "127.0.0.1", port)
    print("ready", listening.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    listening.close()


if __name__ == "__main__":
    moods = dict(argument.partition("=")[::2] for argument in sys.argv[3:])
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], moods))
