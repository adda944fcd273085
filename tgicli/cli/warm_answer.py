"""Answer one prompt by a server of the user's own that has the model in memory.

Called by `answer` on the main thread; runs the event loop. It spares loading, and nothing else may
change: whatever such a server refuses is left to a model in this process.
"""

from __future__ import annotations

from dataclasses import replace

from tgicli.backends.endpoint import Endpoint, RemoteOptions, Timeouts
from tgicli.cli.generate import GenerateOptions
from tgicli.cli.remote_answer import answer_remotely
from tgicli.cli.warm import server_sockets
from tgicli.core import Finish
from tgicli.errors import ModelError, Overloaded, RequestError, Unreachable
from tgicli.models.resolve import Origin, resolve
from tgicli.ui.terminal import Terminal

CONNECT_S = 1.0


def answer_warmly(options: GenerateOptions, terminal: Terminal) -> Finish | None:
    """Stream the answer; None: no server does it.

    Raises:
        ModelNotFound, ModelLoadError: there is no such model on disk.
        DeadlineExceeded, StreamBroken: an answer began and did not come to its end.
    """
    found = resolve(options.loading.model, offline=True)
    for path in server_sockets(found.path, options.loading):
        endpoint = Endpoint.from_url(f"unix:{path}")
        remote = RemoteOptions(endpoint=endpoint, timeouts=Timeouts(connect_s=CONNECT_S))
        try:
            finish = answer_remotely(replace(options, n_retries=0), remote, terminal)
        except Unreachable:
            path.unlink(missing_ok=True)  # its server was killed
        except (RequestError, Overloaded, ModelError):
            continue  # it is not allowed there, or not now
        else:
            if found.origin is Origin.DEMO and options.loading.model is None and not options.quiet:
                terminal.say(f"no model is named; a server answered with {found.name}")
            return finish
    return None
