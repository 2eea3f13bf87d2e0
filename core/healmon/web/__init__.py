"""The web face: one aiohttp server beside the healer, which looks on as every screen does.

    browser ─▶ guard ─▶ app ─▶ parts: api · page · terminal · metrics
                                 │ reads               │ asks
                         live (snapshot, folded)   asking (durable queue)
                                 └────── the state directory ──────┘

It is a process of its own: what is looked at here cannot delay a heal. It never heals, also when no
healer runs; then it says so.
"""
