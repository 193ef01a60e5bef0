"""The floor of a run: what a fresh server of the same kind takes for the keys that are left at the end, and
nothing else.
"""

from __future__ import annotations

import time

from gapless.lab.collections import workload
from gapless.lab.servers import Target, running, set_activedefrag
from gapless.lab.waves import WavePlan
from gapless.lab.wire import TargetError

_SETTLE_SECONDS = 2.0


def floor_resident_bytes(target: Target, plan: WavePlan, cores: set[int]) -> int:
    """Starts the target once more, loads the survivors of the plan into it, and looks. Some seconds.

    Raises TargetError when it refuses them.
    """
    with running(target, cores) as server:
        set_activedefrag(server, target.activedefrag)
        for data, commands in workload(plan).survivors():
            server.control.socket.sendall(data)
            for _ in range(commands):
                server.control.reply()
        if not server.control.call("DBSIZE"):
            raise TargetError(f"{server.name} took none of the survivors")
        time.sleep(_SETTLE_SECONDS)
        return server.resident_bytes()
