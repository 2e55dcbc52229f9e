"""The post office: a message for a channel goes to the chats, any other to the mail server or into files."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.digest.mail import Sender
from monitor.model import CHANNEL, Message, Receipt


@dataclass(frozen=True, slots=True)
class Post:
    """Two senders as one."""

    mail: Sender
    chat: Sender

    def open(self, recipient: str = "") -> Receipt | None:
        """Make ready for a recipient; return None when ready, else why not."""
        return self._for(recipient).open(recipient)

    def __call__(self, message: Message) -> Receipt:
        """Send one message and say how that ended."""
        return self._for(message.recipient)(message)

    def close(self) -> None:
        """Be done with both."""
        self.mail.close()
        self.chat.close()

    def stop(self) -> None:
        """End a wait at once, from another thread."""
        self.mail.stop()
        self.chat.stop()

    def _for(self, recipient: str) -> Sender:
        return self.chat if recipient.startswith(CHANNEL) else self.mail
