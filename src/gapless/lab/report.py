"""The report: one HTML file with the table and the charts over time, to be read without a network."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gapless.lab.crisis import CrisisOptions
from gapless.lab.measure import Run, windows
from gapless.lab.summary import CAPTION, WINDOW_SECONDS, describe, notes, rows

if TYPE_CHECKING:
    import plotly.graph_objects as go

_COLOURS = ("#0a7d55", "#d1495b", "#e08e2b", "#3066be", "#7d4fa0", "#5c6b73", "#a0522d")
_LOG_TICKS = [step * 10**power for power in range(-2, 5) for step in (1, 2, 5)]
_PAYLOAD_COLOUR = "#888888"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff;
       max-width: 1200px; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse; margin: 1em 0 }
th, td { padding: .2em .9em; text-align: right; border-bottom: 1px solid #e4e4e4 }
th:first-child, td:first-child { text-align: left }
tr.heading td { font-weight: 600; padding-top: .8em }
p.small { color: #666; font-size: 13px }
"""


class MissingChartsError(Exception):
    """The library that draws the charts is not installed."""


def require_charts() -> None:
    """Raises MissingChartsError when a report can't be written, before time is spent on the experiment."""
    try:
        import plotly.graph_objects  # noqa: F401
    except ImportError as error:
        raise MissingChartsError(
            "the HTML report needs plotly: pip install 'gapless[lab]', or say --no-report"
        ) from error


def write_report(path: Path, runs: Sequence[Run], options: CrisisOptions) -> None:
    """Write the report. Raises OSError when the file can't be written."""
    charts = _charts([run for run in runs if not run.failure]).to_html(
        full_html=False, include_plotlyjs=True, config={"displaylogo": False, "responsive": True}
    )
    said = "".join(f"<li>{escape(note)}</li>" for note in notes(runs))
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, {platform.machine()}"
    path.write_text(
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8"><title>gapless lab crisis</title>'
        f"<style>{_STYLE}</style></head><body>\n"
        "<h1>Who keeps their memory?</h1>\n"
        f"<p>{escape(describe(options))}.</p>\n{_table(runs)}\n"
        f'<p class="small">{escape(CAPTION)}</p>\n<ul>{said}</ul>\n{charts}\n'
        f'<p class="small">{time.strftime("%Y-%m-%d %H:%M")}; {escape(machine)}.</p>\n</body></html>\n',
        encoding="utf-8",
    )


def _table(runs: Sequence[Run]) -> str:
    lines = ["<tr><th></th>" + "".join(f"<th>{escape(run.title)}</th>" for run in runs) + "</tr>"]
    for row in rows(runs):
        if row.cells:
            cells = "".join(f"<td>{escape(cell)}</td>" for cell in row.cells)
            lines.append(f"<tr><td>{escape(row.label)}</td>{cells}</tr>")
        else:
            lines.append(f'<tr class="heading"><td colspan="{len(runs) + 1}">{escape(row.label)}</td></tr>')
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def _charts(runs: Sequence[Run]) -> go.Figure:
    from plotly.subplots import make_subplots

    figure = make_subplots(
        rows=4,
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.05,
        subplot_titles=(
            "Resident memory and live payload, MB",
            "RSS / live payload (dotted: less the empty server's)",
            f"GET of the probe, ms, in windows of {WINDOW_SECONDS:g} s (line: p99; dots: the slowest)",
            "Server CPU, cores",
        ),
    )
    for number, run in enumerate(runs):
        _add_run(figure, run, _COLOURS[number % len(_COLOURS)])
    if runs:
        moments = runs[0].moments
        figure.add_scatter(
            x=[round(moment.seconds, 3) for moment in moments],
            y=[round(moment.live_bytes / 1e6, 3) for moment in moments],
            name="live payload",
            line={"color": _PAYLOAD_COLOUR, "dash": "dash"},
            row=1,
            col=1,
        )
        for phase, seconds in runs[0].phase_starts.items():
            figure.add_vline(x=seconds, line={"color": "#bbbbbb", "width": 1, "dash": "dot"})
            figure.add_annotation(
                x=seconds,
                y=1.0,
                yref="y domain",
                text=phase,
                showarrow=False,
                xanchor="left",
                font={"size": 11},
            )
    figure.update_yaxes(type="log", tickvals=_LOG_TICKS, row=2, col=1)
    figure.update_yaxes(type="log", tickvals=_LOG_TICKS, row=3, col=1)
    figure.update_yaxes(rangemode="tozero", row=1, col=1)
    figure.update_yaxes(rangemode="tozero", row=4, col=1)
    figure.update_xaxes(title_text="seconds since the first command", row=4, col=1)
    figure.update_layout(
        height=1400,
        template="plotly_white",
        hovermode="x unified",
        legend={"orientation": "h", "y": 1.06},
        margin={"l": 60, "r": 20, "t": 120, "b": 60},
    )
    return figure


def _add_run(figure: go.Figure, run: Run, colour: str) -> None:
    def line(row: int, x: Sequence[float], y: Sequence[float], **style: Any) -> None:
        style = {"line": {"color": colour, "width": 1.5}, "mode": "lines", **style}
        figure.add_scatter(
            x=[round(value, 3) for value in x],
            y=[round(value, 4) for value in y],
            name=run.title,
            legendgroup=run.title,
            showlegend=row == 1,
            row=row,
            col=1,
            **style,
        )

    seconds = [moment.seconds for moment in run.moments]
    ratios = [run.ratios(moment) for moment in run.moments]
    started = [number for number, moment in enumerate(run.moments) if moment.live_bytes > 1_000_000]
    line(1, seconds, [moment.resident_bytes / 1e6 for moment in run.moments])
    line(2, [seconds[n] for n in started], [ratios[n].plain for n in started])
    line(
        2,
        [seconds[n] for n in started],
        [ratios[n].above_base for n in started],
        line={"color": colour, "width": 1, "dash": "dot"},
    )
    slow = windows(run.requests, WINDOW_SECONDS)
    line(3, [at for at, _ in slow], [latency.p99 for _, latency in slow])
    line(
        3,
        [at for at, _ in slow],
        [latency.max for _, latency in slow],
        mode="markers",
        marker={"color": colour, "size": 4},
    )
    cpu = run.cpu_per_second(WINDOW_SECONDS)
    line(4, [at for at, _ in cpu], [cores for _, cores in cpu])
