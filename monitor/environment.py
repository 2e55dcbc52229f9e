"""The environment → mail settings. Secrets live only here, never in feeds.yaml."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from monitor.errors import ConfigError, Fault
from monitor.faults import did_you_mean
from monitor.schema import Mailbox

PREFIX = "MONITOR_"


class MailSettings(BaseSettings):
    """How mail is sent: MONITOR_SMTP_*. With no host, mail goes to files."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}SMTP_", extra="ignore", env_ignore_empty=True)

    host: str = Field(
        "", description="The mail server. Without it, digests are written to `outbox/` in the data folder."
    )
    port: int = Field(
        0, ge=0, le=65535, description="Its port. Without it, 587 with starttls, 465 with tls, 25 with plain."
    )
    user: str = Field("", description="The user name, if the server wants one.")
    password: str = Field("", repr=False, description="The password, if the server wants one.")
    password_file: str = Field("", description="A file that holds the password; in place of `MONITOR_SMTP_PASSWORD`.")
    security: Literal["starttls", "tls", "plain"] = Field(
        "starttls", description="`starttls`, `tls` or `plain`. It never falls back to plain by itself."
    )
    ca_file: str = Field(
        "", description="The certificate authority of a server with a private one. Without it, the system's."
    )
    sender: Mailbox = Field(
        "monitor@rift-monitor.invalid",
        validation_alias=f"{PREFIX}SMTP_FROM",
        description="The address that the mail comes from; readers write to it. Needed with a server.",
    )

    @property
    def to_files(self) -> bool:
        """True when there is no mail server."""
        return not self.host

    @property
    def real_port(self) -> int:
        """The port given, or the usual one for the security chosen."""
        return self.port or {"starttls": 587, "tls": 465, "plain": 25}[self.security]


def mail_settings() -> MailSettings:
    """Read MONITOR_SMTP_* and, where named, the password file.

    Raises:
        ConfigError: a value cannot be used; the message names the variable.
    """
    try:
        mail = MailSettings()
    except ValidationError as e:
        faults = tuple(Fault(f"{_variable(error['loc'])}: {_plain(error)}") for error in e.errors(include_url=False))
        raise ConfigError("environment", faults) from e
    faults = tuple(_mail_faults(mail))
    if faults:
        raise ConfigError("environment", faults)
    if mail.password_file:
        try:
            secret = Path(mail.password_file).read_text(encoding="utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError) as e:
            fault = Fault(f"{PREFIX}SMTP_PASSWORD_FILE: {mail.password_file}: cannot be read ({e})")
            raise ConfigError("environment", (fault,)) from e
        if not secret:
            fault = Fault(f"{PREFIX}SMTP_PASSWORD_FILE: {mail.password_file}: is empty")
            raise ConfigError("environment", (fault,))
        mail = mail.model_copy(update={"password": secret})
    return mail


def _mail_faults(mail: MailSettings) -> Iterable[Fault]:
    if mail.host and "sender" not in mail.model_fields_set:
        yield Fault(f"{PREFIX}SMTP_FROM: say which address the mail comes from")
    if re.search(r"[/:\s]", mail.host):
        yield Fault(f"{PREFIX}SMTP_HOST: {mail.host!r}: only the name of the host; the port goes to {PREFIX}SMTP_PORT")
    if mail.password and mail.password_file:
        yield Fault(f"{PREFIX}SMTP_PASSWORD and {PREFIX}SMTP_PASSWORD_FILE are both set; keep one")
    if mail.user and not (mail.password or mail.password_file):
        yield Fault(f"{PREFIX}SMTP_USER is set without a password; set {PREFIX}SMTP_PASSWORD_FILE")
    if (mail.password or mail.password_file) and not mail.user:
        yield Fault(f"{PREFIX}SMTP_PASSWORD is set without {PREFIX}SMTP_USER")
    if mail.user and not mail.host:
        yield Fault(f"{PREFIX}SMTP_USER is set without {PREFIX}SMTP_HOST: mail would be written to files")
    if mail.user and mail.security == "plain":
        yield Fault(f"{PREFIX}SMTP_SECURITY=plain would send the password readable; use starttls or tls")
    if mail.ca_file and not Path(mail.ca_file).is_file():
        yield Fault(f"{PREFIX}SMTP_CA_FILE: {mail.ca_file}: not found")


def _variable(loc: Sequence[object]) -> str:
    name = str(loc[0]).upper() if loc else ""
    return name if name.startswith(PREFIX) else f"{PREFIX}SMTP_{name}"


def _plain(error: Mapping[str, Any]) -> str:
    return str(error["ctx"]["error"]) if error["type"] == "value_error" else str(error["msg"])


def channels(environ: Mapping[str, str]) -> dict[str, str]:
    """Read the file that MONITOR_CHANNELS_FILE names: the addresses of channels by name; none where it is not set.

    Raises:
        ConfigError: it cannot be read or understood; the message names the lines, and no address.
    """
    path = environ.get(f"{PREFIX}CHANNELS_FILE", "").strip()
    if not path:
        return {}
    variable = f"{PREFIX}CHANNELS_FILE"
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as e:
        why = e.strerror if isinstance(e, OSError) else "it is no UTF-8"
        raise ConfigError("environment", (Fault(f"{variable}: {path}: cannot be read: {why}"),)) from e
    found: dict[str, str] = {}
    faults = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        named = re.fullmatch(r"\s*([A-Za-z0-9][A-Za-z0-9_-]*)\s*=\s*(\S+://\S+)\s*", line)
        if not named:
            faults.append(Fault("write a name, = and an address of Apprise: team-chat = slack://…", number, 1))
        elif named[1] in found:
            faults.append(Fault(f"{named[1]}: a channel of this name stands above", number, 1))
        else:
            found[named[1]] = named[2]
    if faults:
        raise ConfigError(path, tuple(faults))
    return found


def metrics_port(environ: Mapping[str, str]) -> int | None:
    """Read MONITOR_METRICS_PORT; None where it is not set.

    Raises:
        ConfigError: it is no port.
    """
    text = environ.get(f"{PREFIX}METRICS_PORT", "").strip()
    if not text:
        return None
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ConfigError("environment", (Fault(f"{PREFIX}METRICS_PORT: {text!r} is not a port (1 to 65535)"),))
    return int(text)


def metrics_host(environ: Mapping[str, str]) -> str:
    """Read MONITOR_METRICS_HOST: the address to listen on; empty for all of them."""
    return environ.get(f"{PREFIX}METRICS_HOST", "").strip().strip("[]")


def scheduler_address(text: str, name: str = f"{PREFIX}CLUSTER") -> str:
    """Return the address of a Dask scheduler as it was given.

    Raises:
        ConfigError: it is none; the message calls it by `name`.
    """
    address = text.strip()
    host, _, port = address.partition("://")[2].rpartition(":")
    if not re.fullmatch(r"(?:tcp|tls)://[^/@\s]+:\d+", address) or not host or not 0 < int(port) < 65536:
        words = f"{name}: {text!r} is not the address of a Dask scheduler, such as tcp://10.0.0.5:8786 or tls://…"
        raise ConfigError("environment", (Fault(words),))
    return address


def cluster_fetches(environ: Mapping[str, str]) -> bool:
    """Read MONITOR_CLUSTER_FETCH.

    Raises:
        ConfigError: it is neither true nor false.
    """
    text = environ.get(f"{PREFIX}CLUSTER_FETCH", "").strip().lower()
    if text not in ("", "true", "false", "1", "0", "yes", "no"):
        raise ConfigError("environment", (Fault(f"{PREFIX}CLUSTER_FETCH: {text!r} is neither true nor false"),))
    return text in ("true", "1", "yes")


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable that is read, in words for people; `default` is empty where there is none."""

    name: str
    meaning: str
    default: str = ""


VARIABLES = (
    Variable("MONITOR_CONFIG", "The feeds.yaml to use; the same as `--config`.", "feeds.yaml"),
    Variable("MONITOR_DATA", "The folder of the database and the outbox; the same as `--data`.", "data"),
    *(
        Variable(_variable((info.validation_alias or name,)), info.description or "", str(info.default or ""))
        for name, info in MailSettings.model_fields.items()
    ),
    Variable(
        "MONITOR_CHANNELS_FILE",
        "A file with the chats that digests name under `channels`: lines of a name, `=` and an address of Apprise.",
    ),
    Variable("MONITOR_METRICS_PORT", "A port for `/metrics` (Prometheus) and `/healthz`. Without it, neither."),
    Variable("MONITOR_METRICS_HOST", "The address to listen on there, such as `127.0.0.1`. Without it, all addresses."),
    Variable(
        "MONITOR_CLUSTER",
        "The scheduler of a Dask cluster that judges for this worker, such as `tcp://10.0.0.5:8786`; the same as "
        "`poll --cluster`. Without it, everything is judged here.",
    ),
    Variable(
        "MONITOR_CLUSTER_FETCH", "`true` lets the cluster's workers ask the feeds too; `poll --cluster-fetch`.", "false"
    ),
    Variable("MONITOR_LOG", "`text`, `json`, or `auto`: text on a terminal, JSON elsewhere.", "auto"),
)
KNOWN_VARIABLES = {variable.name for variable in VARIABLES}


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Return a line for each MONITOR_ variable that nothing reads: most likely a typing error."""
    strangers = sorted(name for name in environ if name.startswith(PREFIX) and name not in KNOWN_VARIABLES)
    return [f"environment: {name} is not a setting{did_you_mean(name, KNOWN_VARIABLES)}" for name in strangers]
