"use strict";
// The page itself. Everything that comes from the document goes through textContent.

(() => {
  const $ = (id) => document.getElementById(id);
  const interval = 1000, patience = 3000;
  const letters = { ready: "R", booting: "B", probing: "P", draining: "D", backoff: "W", failed: "F" };
  const meanings = { ready: "ready", booting: "booting", probing: "answering its probe", draining: "draining", backoff: "waiting after a crash", failed: "failed" };
  const planned = new Set(["reload", "upgrade", "recycle"]);
  let timer = null, answeredAt = null, drainMax = 0, selected = null;

  // MARK: Small tools

  function set(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  function make(tag, className, text) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  }

  // Keeps the children that are there, so that selections, focus and scroll positions stay.
  function children(parent, count, fresh) {
    while (parent.children.length > count) parent.lastElementChild.remove();
    while (parent.children.length < count) parent.append(fresh());
    return [...parent.children];
  }

  // A cell is a text, or a text with a class.
  function rows(body, list) {
    children(body, list.length, () => make("tr")).forEach((row, index) => {
      const { cells, className = "" } = Array.isArray(list[index]) ? { cells: list[index] } : list[index];
      row.className = className;
      children(row, cells.length, () => make("td")).forEach((cell, place) => {
        const [text, name = ""] = Array.isArray(cells[place]) ? cells[place] : [cells[place]];
        set(cell, text);
        if (cell.className !== name) cell.className = name;
      });
    });
  }

  function pairs(list, entries) {
    children(list, entries.length, () => {
      const row = make("div");
      row.append(make("dt"), make("dd"));
      return row;
    }).forEach((row, index) => {
      const [name, text, className = ""] = entries[index];
      set(row.firstElementChild, name);
      set(row.lastElementChild, text);
      row.lastElementChild.className = className;
    });
  }

  // A table without rows gives way to a sentence.
  function empty(id, isEmpty) {
    $(id).closest(".scroll").hidden = isEmpty;
    $(`no-${id}`).hidden = !isEmpty;
  }

  const quiet = (value, alarming) => value > 0 ? (alarming ? "bad" : "") : "zero";
  const counted = (name, value, alarming = false) => [name, Text.count(value), quiet(value, alarming)];

  // MARK: Parts

  function header(status) {
    const pill = $("state");
    set(pill, status.state);
    pill.dataset.state = status.state;
    set($("uptime"), Text.span(status.uptime_seconds));
    set($("version"), status.version);
    set($("pid"), String(status.pid));
    set($("generation"), String(status.generation ?? Text.none));
    $("hash-fact").hidden = !status.config?.hash;
    set($("hash"), status.config?.hash ?? "");
    const workers = status.workers;
    document.title = `${workers.ready}/${workers.configured} ${status.state} · Apus`;
  }

  function drain(status) {
    const drain = status.drain;
    $("drain").hidden = !drain?.active;
    if (!drain?.active) { drainMax = 0; return; }
    const rest = drain.remaining_streams ?? 0;
    drainMax = Math.max(drainMax, rest);
    const parts = [`${Text.count(rest)} ${rest === 1 ? "stream" : "streams"} to go`];
    if (Text.known(drain.oldest_stream_s)) parts.push(`oldest ${Text.span(drain.oldest_stream_s)}`);
    if (Text.known(drain.deadline_left_s)) parts.push(`cut in ${Text.span(drain.deadline_left_s)}`);
    set($("drain-text"), parts.join(" · "));
    $("drain-progress").value = drainMax > 0 ? 1 - rest / drainMax : 1;
  }

  function flow(status) {
    set($("rate"), Text.rate(Samples.rate(3, (sample) => sample.requests)));
    set($("inflight"), Text.count(status.requests?.in_flight));
    set($("streams"), Text.count(status.streams?.open));
    set($("token-rate"), Text.rate(Samples.rate(3, (sample) => sample.tokens)));
    set($("total"), Text.count(status.requests?.total));
    const all = Samples.series((sample) => sample.requests);
    const top = ceiling(Math.max(1, ...all.map((point) => point.value)));
    const line = path(all, top);
    $("chart-line").setAttribute("d", line.stroke);
    $("chart-area").setAttribute("d", line.area);
    const failed = Samples.series((sample) => sample.errors5);
    $("chart-errors").setAttribute("d", failed.some((point) => point.value > 0) ? path(failed, top).stroke : "");
    set($("chart-max"), `${Text.count(top)}/s`);
    $("chart").setAttribute("aria-label", `requests per second, at most ${Text.count(top)} in the last two minutes`);
  }

  // The next round number, so that the scale does not move all the time.
  function ceiling(value) {
    const power = 10 ** Math.floor(Math.log10(value));
    return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
  }

  // Gaps, as while the page was hidden, stay gaps.
  function path(points, top) {
    const now = points.at(-1)?.time ?? 0;
    let stroke = "", area = "", start = null, last = null;
    const finish = () => { if (start !== null) area += `L${last} 119L${start} 119Z`; start = null; };
    points.forEach((point, index) => {
      const x = (600 - (now - point.time) / 200).toFixed(1);
      const y = (119 - 118 * Math.min(1, point.value / top)).toFixed(1);
      const broken = index === 0 || point.time - points[index - 1].time > 4 * interval;
      if (x < 0) return;
      if (broken) finish();
      if (start === null) { start = x; stroke += `M${x} ${y}`; area += `M${x} ${y}`; } else { stroke += `L${x} ${y}`; area += `L${x} ${y}`; }
      last = x;
    });
    finish();
    return { stroke, area };
  }

  function latency(status) {
    const list = [];
    for (const [name, key] of [["whole answer", "total"], ["first byte", "first_byte"], ["upstream", "upstream_time"]]) {
      const values = Samples.quantiles(60, key);
      const since = status.latency?.[key] ?? {};
      const texts = values ? values.map(Text.milliseconds) : [Text.none, Text.none, Text.none];
      list.push([name, ...texts.map((text) => [text, values ? "" : "zero"])]);
      list.push({ className: "minor", cells: ["since start", ...["p50_ms", "p90_ms", "p99_ms"].map((quantile) => Text.milliseconds(since[quantile]))] });
    }
    rows($("latency"), list);
  }

  function errors(status) {
    const last = (pick) => Samples.rate(60, pick);
    const requests = Samples.difference(60, (sample) => sample.requests);
    const line = (name, pick, total, alarming) => {
      const value = last(pick);
      const tone = quiet(value, alarming);
      return [name, [Text.rate(value), tone], [Text.share(Samples.difference(60, pick), requests), tone], [Text.short(total), quiet(total, false)]];
    };
    const total = (key) => (status.requests?.by_route ?? []).reduce((sum, route) => sum + (route[key] ?? 0), 0);
    rows($("errors"), [
      line("5xx answers", (sample) => sample.errors5, total("5xx"), true),
      line("4xx answers", (sample) => sample.errors4, total("4xx"), false),
      line("given up by clients", (sample) => sample.aborts, status.requests?.client_aborts, false),
    ]);
  }

  // MARK: Fleet

  const keyOf = (worker) => `${worker.slot}.${worker.generation}.${worker.pid ?? ""}`;

  function fleet(status) {
    const list = status.processes ?? [];
    const workers = status.workers;
    set($("fleet-text"), `${workers.ready} of ${workers.configured} ready` + (workers.reason ? ` · ${workers.reason}` : ""));
    $("cells").classList.toggle("dense", list.length > 32);
    children($("cells"), list.length, freshCell).forEach((cell, index) => fillCell(cell, list[index]));
    const states = Object.keys(letters);
    children($("legend"), states.length, () => {
      const item = make("li");
      item.append(make("span", "letter"), make("span"));
      return item;
    }).forEach((item, index) => {
      const state = states[index], number = workers[state] ?? 0;
      item.dataset.state = state;
      item.className = number > 0 ? "" : "none";
      set(item.firstElementChild, letters[state]);
      set(item.lastElementChild, `${number} ${meanings[state]}`);
    });
    showDetail(status);
  }

  function freshCell() {
    const cell = make("button", "cell");
    cell.type = "button";
    cell.append(make("span", "letter"), make("span", "who"), make("span", "scar"));
    const load = make("span", "load");
    load.append(make("b"), make("span", "opt"), make("span", "opt"));
    cell.append(load);
    cell.addEventListener("click", () => select(selected?.pinned && selected.key === cell.dataset.key ? null : { key: cell.dataset.key, pinned: true }));
    // Only a mouse points without touching.
    cell.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse" && !selected?.pinned) select({ key: cell.dataset.key }); });
    cell.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse" && !selected?.pinned) select(null); });
    return cell;
  }

  function fillCell(cell, worker) {
    const [letter, who, scar, load] = cell.children;
    cell.dataset.state = worker.state;
    cell.dataset.key = keyOf(worker);
    set(letter, letters[worker.state] ?? "?");
    const name = worker.pid === null ? "" : String(worker.pid);
    if (who.textContent !== worker.slot + name) {
      who.replaceChildren(String(worker.slot), make("i", "", name));
    }
    const texts = cellTexts(worker);
    texts.forEach((text, index) => set(load.children[index], text));
    set(scar, worker.restarts > 0 ? `↻ ${Text.count(worker.restarts)}` : "");
    scar.title = worker.restarts > 0 ? "restarts of this slot" : "";
    cell.setAttribute("aria-label", `worker ${worker.slot}: ${meanings[worker.state] ?? worker.state}, ${texts.join(" ").trim()}`);
    cell.setAttribute("aria-expanded", String(selected?.key === cell.dataset.key));
  }

  // A number, what it counts, and what else is worth a glance.
  function cellTexts(worker) {
    if (worker.state === "backoff") return [Text.known(worker.backoff_left_s) ? Text.span(worker.backoff_left_s) : "", " to the next start", ""];
    const open = worker.streams ?? worker.draining_streams;
    const streams = [Text.count(open), open === 1 ? " stream" : " streams"];
    if (worker.state === "draining") return [...streams, Text.known(worker.drain_left_s) ? `cut in ${Text.span(worker.drain_left_s)}` : ""];
    const lag = Text.known(worker.loop_lag_us) ? [`lag ${Text.milliseconds(worker.loop_lag_us / 1000)}`] : [];
    const memory = Text.known(worker.rss) ? [Text.size(worker.pss ?? worker.rss)] : [];
    return [...streams, [...lag, ...memory].join(" · ")];
  }

  function select(choice) {
    selected = choice;
    const last = latest;
    if (last) fleet(last);
  }

  function showDetail(status) {
    const worker = (status.processes ?? []).find((candidate) => keyOf(candidate) === selected?.key);
    const panel = $("detail");
    if (!worker) {
      // The process has gone: so has what was pinned.
      selected = null;
      panel.hidden = true;
      return;
    }
    set($("detail-title"), `Worker ${worker.slot}: ${meanings[worker.state] ?? worker.state}`);
    const now = status.started_at + status.uptime_seconds;
    pairs($("detail-pairs"), detailPairs(worker, now));
    const exit = worker.last_exit;
    $("detail-exit").hidden = !exit;
    if (exit) {
      const how = Text.known(exit.signal) ? Text.signal(exit.signal) : Text.known(exit.code) ? `code ${exit.code}` : "not started";
      const entries = [["reason", `${Text.label(exit.reason)} (${how})`], ["when", `${Text.span(now - exit.at)} ago`]];
      if (exit.request_id) entries.push(["request", exit.request_id]);
      if (exit.output) entries.push(["printed", exit.output]);
      pairs($("exit-pairs"), entries);
      const frames = exit.backtrace ?? [];
      children($("backtrace"), frames.length, () => make("li")).forEach((item, index) => set(item, frames[index]));
    }
    panel.hidden = false;
    place(panel);
  }

  function detailPairs(worker, now) {
    const known = (name, value, text) => Text.known(value) ? [[name, text(value)]] : [];
    return [
      ...known("pid", worker.pid, String),
      ["generation", String(worker.generation)],
      ...known("version", worker.exe_version, String),
      ...known("ready for", worker.ready_at, (at) => Text.span(now - at)),
      ...known("heartbeat", worker.last_tick_ms, (age) => `${Text.milliseconds(age)} ago`),
      ...known("loop lag", worker.loop_lag_us, (lag) => Text.milliseconds(lag / 1000)),
      ["connections", `${Text.count(worker.conns_active)} active, ${Text.count(worker.conns_idle)} idle`],
      ["streams", Text.count(worker.streams) + (Text.known(worker.oldest_stream_s) ? `, oldest ${Text.span(worker.oldest_stream_s)}` : "")],
      ["requests", `${Text.count(worker.requests)}, ${Text.count(worker.requests_in_flight)} in flight`],
      ["memory", `${Text.size(worker.rss)} resident` + (Text.known(worker.pss) ? `, ${Text.size(worker.pss)} own share` : "")],
      ...known("queued for clients", worker.bytes_queued, Text.size),
      ...known("CPU", worker.cpu_s, (time) => `${time.toFixed(2)} s`),
      ...known("descriptors", worker.fds, (open) => Text.count(open) + (Text.known(worker.fd_limit) ? ` of ${Text.count(worker.fd_limit)}` : "")),
      ["restarts of the slot", Text.count(worker.restarts)],
      ...known("starts again in", worker.backoff_left_s, Text.span),
      ...known("cut in", worker.drain_left_s, Text.span),
    ];
  }

  // Below its cell and inside of the card; on a phone the style sheet makes it a sheet at the bottom.
  function place(panel) {
    const cell = [...$("cells").children].find((candidate) => candidate.dataset.key === selected.key);
    const card = panel.parentElement;
    const left = Math.min(cell.offsetLeft, card.clientWidth - panel.offsetWidth - 12);
    panel.style.left = `${Math.max(12, left)}px`;
    panel.style.top = `${cell.offsetTop + cell.offsetHeight + 8}px`;
  }

  // MARK: Connections

  function connections(status) {
    const all = status.connections ?? {};
    const entries = [];
    for (const listener of status.listeners ?? []) {
      const paused = listener.paused_reason ? `, paused: ${listener.paused_reason}` : "";
      entries.push([listener.address, `${Text.count(listener.accepted)} accepted${paused}`, paused ? "bad" : ""]);
      if (!Text.known(listener.accept_queue)) continue;
      const filled = listener.accept_queue / Math.max(1, listener.accept_queue_limit);
      const tone = filled > 0.5 ? "bad" : quiet(listener.accept_queue);
      entries.push(["in the kernel's queue", `${Text.count(listener.accept_queue)} of ${Text.count(listener.accept_queue_limit)}`, tone]);
    }
    entries.push(["active", Text.count(all.active), quiet(all.active)], ["idle", Text.count(all.idle), quiet(all.idle)]);
    const reasons = Object.entries(all.rejected_by_reason ?? {}).filter(([, count]) => count > 0);
    entries.push(counted("rejected", all.rejected, true));
    for (const [reason, count] of reasons) entries.push([`rejected: ${Text.label(reason)}`, Text.count(count), "bad"]);
    const crashed = Object.entries(all.crash_answers ?? {});
    entries.push(counted("answered for dead workers", crashed.reduce((sum, [, count]) => sum + count, 0)));
    for (const [kind, count] of crashed) if (count > 0) entries.push([`dead worker: ${Text.label(kind)}`, Text.count(count), kind === "closed" ? "bad" : ""]);
    entries.push(["received, sent", `${Text.size(all.bytes_in)}, ${Text.size(all.bytes_out)}`]);
    pairs($("connections"), entries);
  }

  function handoff(status) {
    const counts = status.handoff ?? {}, queue = status.queue ?? {};
    const oldest = Text.known(queue.oldest_ms) ? `, oldest ${Text.milliseconds(queue.oldest_ms)}` : "";
    const entries = [
      ["wait for a worker", Text.count(queue.len) + oldest, quiet(queue.len)],
      counted("waited for too long", queue.timeouts, true),
      ["sent, not confirmed", Text.count(counts.inflight), quiet(counts.inflight)],
      counted("confirmed", counts.acked), counted("given to another worker", (counts.requeued ?? 0) + (counts.returned ?? 0) + (counts.revoked ?? 0)),
      counted("refused by a worker", counts.nack), counted("lost", counts.lost, true),
      counted("worker's socket was full", counts.send_eagain),
    ];
    if (counts.duration?.count > 0) entries.push(["handover p50, p99", `${Text.milliseconds(counts.duration.p50_ms)}, ${Text.milliseconds(counts.duration.p99_ms)}`]);
    if (queue.wait?.count > 0) entries.push(["wait p50, p99", `${Text.milliseconds(queue.wait.p50_ms)}, ${Text.milliseconds(queue.wait.p99_ms)}`]);
    pairs($("handoff"), entries);
  }

  function restarts(status) {
    const reasons = Object.entries(status.workers?.restarts ?? {});
    const most = Math.max(1, ...reasons.map(([, count]) => count));
    children($("restarts"), reasons.length, () => {
      const row = make("div");
      row.append(make("dt"), make("dd"), make("span", "bar"));
      return row;
    }).forEach((row, index) => {
      const [reason, count] = reasons[index];
      row.className = count === 0 ? "none" : planned.has(reason) ? "planned" : "";
      set(row.children[0], Text.label(reason));
      set(row.children[1], Text.count(count));
      row.children[2].style.width = `${100 * count / most}%`;
    });
  }

  // MARK: Tables

  function upstreams(status) {
    const list = status.upstreams ?? [];
    empty("upstreams", list.length === 0);
    rows($("upstreams"), list.map((upstream) => {
      const attempts = Object.entries(upstream.attempts ?? {});
      const others = attempts.filter(([result, count]) => result !== "ok" && count > 0);
      // Given up by ourselves is no failure of theirs.
      const failed = others.reduce((sum, [result, count]) => result === "cancelled" ? sum : sum + count, 0);
      const open = upstream.connections ?? {};
      const uses = (open.created ?? 0) + (open.reused ?? 0);
      const rate = Samples.rate(10, (sample) => sample.upstreams.get(upstream.name));
      return [
        [upstream.name, "text"], [upstream.provider, "text more"], [Text.rate(rate), quiet(rate)], [Text.short(upstream.attempts?.ok), quiet(upstream.attempts?.ok)],
        [Text.short(failed), quiet(failed, true)], [others.map(([result, count]) => `${Text.label(result)} ×${Text.count(count)}`).join(", "), "text note more"],
        [Text.count(open.open), "more"], [Text.share(open.reused, uses), "more"], [Text.short(upstream.tokens?.input), "more"], Text.short(upstream.tokens?.output),
      ];
    }));
  }

  function routes(status) {
    const list = status.requests?.by_route ?? [];
    empty("routes", list.length === 0);
    rows($("routes"), list.map((route) => {
      const total = route.latency?.total ?? {};
      return [
        [Text.label(route.route), "text"], [Text.short(route["2xx"]), quiet(route["2xx"])], [Text.short(route["4xx"]), quiet(route["4xx"])],
        [Text.short(route["5xx"]), quiet(route["5xx"], true)], [Text.short(route.client_aborts), `more ${quiet(route.client_aborts)}`],
        Text.milliseconds(total.p50_ms), [Text.milliseconds(total.p90_ms), "more"], Text.milliseconds(total.p99_ms),
        [Text.milliseconds(route.latency?.first_byte?.p50_ms), "more"],
      ];
    }));
  }

  function reloads(status) {
    const history = [...(status.reload_history ?? [])].reverse();
    const config = status.config ?? {};
    set($("reload-counts"), `${Text.count(config.reloads_ok)} worked, ${Text.count(config.reloads_failed)} failed`);
    empty("reloads", history.length === 0);
    rows($("reloads"), history.map((reload) => [
      [Text.clock(new Date(reload.at * 1000)), "text"], [reload.kind, "text"],
      [reload.ok ? "ok" + (reload.reason ? `: ${reload.reason}` : "") : reload.error || "failed", reload.ok ? "text note" : "text note bad"],
      [String(reload.generation), "more"], [Text.milliseconds(reload.duration_ms), "more"],
    ]));
  }

  function supervisor(status) {
    const own = status.supervisor ?? {}, limits = status.limits ?? {};
    const of = (value, limit, text) => text(value) + (Text.known(limit) ? ` of ${text(limit)}` : "");
    const entries = [
      ["descriptors", of(limits.fds_open, limits.nofile, Text.count)],
      ["memory", Text.size(own.rss)],
      ["CPU time", Text.known(own.cpu_s) ? `${own.cpu_s.toFixed(2)} s` : Text.none],
      ["loop lag p99", own.loop_lag?.count > 0 ? Text.milliseconds(own.loop_lag.p99_ms) : Text.none],
      ["CPU quota", Text.known(limits.cpu_quota) ? `${limits.cpu_quota} cores` : "none"],
      ["memory limit", Text.known(limits.mem_max) ? Text.size(limits.mem_max) : "none"],
      ["accept queue, at most", Text.count(limits.somaxconn)],
    ];
    for (const [reason, seconds] of Object.entries(status.accept_paused_s ?? {})) if (seconds > 0) entries.push([`accepting paused: ${Text.label(reason)}`, Text.span(seconds), "bad"]);
    const dropped = Object.values(status.dropped ?? {}).reduce((sum, count) => sum + count, 0);
    entries.push(counted("log lines and metrics dropped", dropped, true));
    pairs($("supervisor"), entries);
  }

  // MARK: Life

  let latest = null;

  function show(status, time) {
    latest = status;
    Samples.add(status, time);
    for (const part of [header, drain, flow, latency, errors, fleet, connections, handoff, restarts, upstreams, routes, reloads, supervisor]) part(status);
  }

  function lost(reason) {
    document.body.classList.add("lost");
    const since = answeredAt === null ? "" : ` Last answer ${Text.span((performance.now() - answeredAt) / 1000)} ago; below is what it said.`;
    set($("lost"), `The supervisor cannot be reached (${reason}).${since}`);
    $("lost").hidden = false;
    set($("state"), "unreachable");
    $("state").dataset.state = "lost";
    document.title = "unreachable · Apus";
  }

  async function poll() {
    timer = null;
    const begin = performance.now();
    try {
      const answer = await fetch("status?full", { cache: "no-store", signal: AbortSignal.timeout(patience) });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const status = await answer.json();
      answeredAt = performance.now();
      document.body.classList.remove("lost");
      $("lost").hidden = true;
      show(status, answeredAt);
      set($("updated"), `as of ${Text.clock(new Date())}, again every second while visible`);
    } catch (error) {
      lost(error.name === "TimeoutError" ? "no answer in 3 s" : error.name === "TypeError" ? "no connection" : error.message);
    }
    if (!document.hidden && timer === null) timer = setTimeout(poll, Math.max(50, interval - (performance.now() - begin)));
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      clearTimeout(timer);
      timer = null;
    } else if (timer === null) {
      poll();
    }
  });
  $("detail-close").addEventListener("click", () => select(null));
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && selected) select(null); });
  document.addEventListener("click", (event) => { if (selected?.pinned && !event.target.closest(".cell, .detail")) select(null); });
  poll();
})();
