"""Whether another DICOM system can be talked to, step by step: the first step that fails names the reason."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made when the module is loaded

from edge_retrieve.edge_app.dicom_node.library import quieten
from edge_retrieve.edge_app.dicom_node.peers import DicomError, Peer

_TIMEOUT_S = 10.0


class Step(str, Enum):
    """What has to work, in this order."""

    NAME = "name"
    PORT = "port"
    TLS = "TLS"
    ASSOCIATION = "association"
    ECHO = "C-ECHO"


@dataclass(frozen=True)
class StepResult:
    """What one step came to.

    Parameters
    ----------
    step : Step
    ok : bool
    what : str
        What was found, without a final full stop.
    remedy : str
        What to do about it; empty where it worked.
    ms : float
        How long it took, milliseconds.
    """

    step: Step
    ok: bool
    what: str
    remedy: str = ""
    ms: float = 0.0


@dataclass(frozen=True)
class AssociationCheck:
    """What the steps came to; those behind one that failed were not tried.

    Parameters
    ----------
    peer : Peer
    steps : tuple of StepResult
    """

    peer: Peer
    steps: tuple[StepResult, ...]

    @property
    def ok(self) -> bool:
        """Whether all of them worked."""
        return all(step.ok for step in self.steps)

    def require(self) -> None:
        """Raise `DicomError` that names the step which failed."""
        for step in self.steps:
            if not step.ok:
                raise DicomError(f"{step.step.value}: {step.what}", where=self.peer.label, remedy=step.remedy)


_Try = Callable[[Peer, float], tuple[bool, str, str]]


def check_association(peer: Peer, timeout_s: float = _TIMEOUT_S) -> AssociationCheck:
    """Resolve the name, open the port, shake hands, associate, send a C-ECHO.

    Parameters
    ----------
    peer : Peer
    timeout_s : float
        Longest wait for each step, seconds.

    Raises
    ------
    ConfigError
        Where a TLS file of `peer` cannot be used.
    """
    reached = check_reachable(peer, timeout_s)
    if not reached.ok:
        return reached
    quieten()
    return AssociationCheck(peer, (*reached.steps, *_associate(peer, timeout_s)))


def check_reachable(peer: Peer, timeout_s: float = _TIMEOUT_S) -> AssociationCheck:
    """Take only the steps before the association: those that are nothing of DICOM's.

    Raises
    ------
    ConfigError
        Where a TLS file of `peer` cannot be used.
    """
    tries: list[tuple[Step, _Try]] = [(Step.NAME, _resolve), (Step.PORT, _connect)]
    if peer.tls is not None:
        tries.append((Step.TLS, _shake_hands))
    steps: list[StepResult] = []
    for step, attempt in tries:
        start = time.perf_counter()
        ok, what, remedy = attempt(peer, timeout_s)
        steps.append(StepResult(step, ok, what, remedy, _since(start)))
        if not ok:
            break
    return AssociationCheck(peer, tuple(steps))


def _since(start: float) -> float:
    return round((time.perf_counter() - start) * 1000, 1)


def _resolve(peer: Peer, timeout_s: float) -> tuple[bool, str, str]:
    try:
        found = socket.getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM)
    except OSError as error:
        reason = error.strerror or str(error)
        return False, f"the name '{peer.host}' cannot be resolved ({reason})", "Check the host's name"
    return True, f"{peer.host} is {found[0][4][0]}", ""


def _connect(peer: Peer, timeout_s: float) -> tuple[bool, str, str]:
    try:
        socket.create_connection((peer.host, peer.port), timeout_s).close()
    except TimeoutError:
        return False, f"port {peer.port} does not answer", "Check the address; a firewall may be in between"
    except ConnectionRefusedError:
        return False, f"nothing listens on port {peer.port}", "Check the port, and that the system is running"
    except OSError as error:
        return False, f"port {peer.port} cannot be reached ({error.strerror})", "Check address and network"
    return True, f"port {peer.port} is open", ""


def _shake_hands(peer: Peer, timeout_s: float) -> tuple[bool, str, str]:
    assert peer.tls is not None
    context = peer.tls.client_context()
    try:
        with (
            socket.create_connection((peer.host, peer.port), timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=peer.host) as secured,
        ):
            return True, f"{secured.version()}, {(secured.cipher() or ('no cipher',))[0]}", ""
    except ssl.SSLCertVerificationError as error:
        return (
            False,
            f"its certificate is not believed ({error.verify_message})",
            "Name the authority that signed it, and the host as its certificate does",
        )
    except OSError as error:  # SSLError is one
        reason = getattr(error, "reason", None) or error.strerror or str(error)
        return False, f"no TLS there ({reason})", "Leave TLS out, or check that the port is the one with TLS"


def _associate(peer: Peer, timeout_s: float) -> list[StepResult]:
    entity = AE(peer.calling)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = timeout_s
    entity.connection_timeout = timeout_s
    entity.add_requested_context(Verification)
    start = time.perf_counter()
    association = entity.associate(
        peer.host,
        peer.port,
        ae_title=peer.called,
        tls_args=(peer.tls.client_context(), peer.host) if peer.tls else None,
    )
    took = _since(start)
    if not association.is_established:
        what, remedy = refusal(association, peer, timed_out=took >= timeout_s * 1000 * 0.95)
        return [StepResult(Step.ASSOCIATION, False, what, remedy, took)]
    accepted = StepResult(Step.ASSOCIATION, True, f"{peer.called} accepts {peer.calling}", "", took)
    start = time.perf_counter()
    status = association.send_c_echo()
    took = _since(start)
    association.release()
    code = status.get("Status") if status else None
    if code == 0:
        return [accepted, StepResult(Step.ECHO, True, "success", "", took)]
    what = "no answer" if code is None else f"status 0x{code:04X}"
    return [accepted, StepResult(Step.ECHO, False, what, "Look at the log of the other system", took)]


def refusal(association: Association, peer: Peer, *, timed_out: bool = False) -> tuple[str, str]:
    """Return why an association did not come about, and what to do (PS3.8, 9.3.4).

    Parameters
    ----------
    association : Association
        Not established.
    peer : Peer
    timed_out : bool
        Whether its answer was waited for in vain.
    """
    answer = association.acceptor.primitive
    if association.is_rejected and answer is not None:
        remedies = {
            (1, 3): f"Have the AE title {peer.calling} entered there, or call with one that is (--calling)",
            (1, 7): f"Call it by its own AE title: it is not {peer.called} (--called)",
            (3, 2): "Try again later: too many associations are open there",
        }
        key = (answer.result_source or 0, answer.diagnostic or 0)
        remedy = remedies.get(key, "Look at the log of the other system")
        return f"rejected ({answer.result_str}, {answer.source_str}: {answer.reason_str})", remedy
    if answer is not None and not association.accepted_contexts:
        return "it accepts none of what is offered", "Check which SOP classes the other system supports"
    unknown = f"Check both AE titles ({peer.calling} calls {peer.called}): many systems say no more than this"
    if timed_out:
        return "no answer to the request", unknown
    return "closed without an answer", unknown
