"""Units: what each coefficient of a profile is paid for, in a fixed vocabulary, so that estimates count just that.

Where the name of a coefficient allows several units, the profile says which one is meant (`per = "…"`); the default is
the first.
"""

from __future__ import annotations

from collections.abc import Mapping

VISITED = "spike and chip visited"
"""A message that the routers copy: paid on the chip that sends it, and on every other one on which it is needed."""

ENERGY: Mapping[str, tuple[str, ...]] = {
    "synop": ("synaptic event",),
    "synop_sparse": ("synaptic event",),
    "synop_conv": ("synaptic event",),
    "synop_learn": ("synaptic event",),
    "synop_graded": ("graded event",),
    "mac": ("multiply-accumulate",),
    "add": ("addition of a bias or to a threshold",),
    "mul": ("decay of an adaptive threshold",),
    "addr": ("synaptic event",),
    "acc_neuron": ("neuron and time step",),
    "upd_neuron": ("active neuron and time step",),
    "spike_out": ("spike",),
    "msg_out": ("spike and destination core", VISITED),
    "hop": ("message and hop",),
    "offchip_spike": ("spike and chip left",),
    "step": ("time step",),
    "reset": ("sample and chip",),
}
"""What a coefficient in pJ is paid for.

`synop_conv` is paid instead of `synop` where a convolution's weights are shared; `addr` on
top of all synaptic events, graded ones among them.
"""

POWER: Mapping[str, str] = {
    "static_chip": "chip in use",
    "active_core": "core in use",
    "board_idle": "board, instead of all its chips",
    "io_idle": "chip",
    "pixel_idle": "chip",
    "total_min": "chip",
    "host_active": "host",
    "dynamic_run": "chip, while it works on a sample",
    "clk_mw_per_mhz": "MHz of the clock",
}
"""What a coefficient in mW is paid for."""

TIME: Mapping[str, str] = {
    "synop": "synaptic event of a core",
    "acc_neuron": "neuron of a core and time step",
    "upd_neuron": "active neuron of a core and time step",
    "spike_out": "spike of a core",
    "msg_out": "spike of a core and destination core",
    "msg_in": "message into a core",
    "hop": "message and hop",
    "step_overhead": "time step",
    "sync_multichip_ns": "time step on more than one chip",
    "tick_us": "time step",
    "event_layer_us": "event and layer",
    "clock_mhz": "core",
    "clock_mhz_max": "core",
    "clock_margin": "core",
    "pipeline_ticks_per_layer": "layer",
    "cycles_per_synop": "synaptic event",
    "cycles_per_spike": "spike",
    "cycles_per_tick_leak": "time step",
    "peak_ops_per_s": "chip",
    "bytes_per_s": "chip",
    "launch_us": "layer",
}
"""What a time is taken for: ns unless its name says otherwise."""

CYCLES: Mapping[str, str] = {
    "in_spk": "input that is not zero and hidden neuron",
    "in_fix": "input",
    "hid_syn": "synaptic event between hidden neurons",
    "hid_fix": "hidden neuron",
    "out_spk_fix": "spike",
    "out_syn": "spike and readout",
    "neu_fix": "hidden neuron",
    "neu_spk": "spike",
    "out_fix": "readout",
}
"""What clock cycles of `time.cyc` are taken for, at each time step."""
