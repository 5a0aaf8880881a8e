"use strict";
// What the page makes of several documents: rates, quantiles of a span, texts. No DOM in here.

const Samples = (() => {
  // Two minutes of one document per second, and a little for late ones.
  const keptMax = 130;
  let samples = [];

  const sum = (list, pick) => (list ?? []).reduce((total, item) => total + (pick(item) ?? 0), 0);

  function add(status, time) {
    const last = samples.at(-1);
    // A supervisor that was started again counts from 0.
    if (last && (last.status.pid !== status.pid || last.status.started_at !== status.started_at)) {
      samples = [];
    }
    const routes = status.requests?.by_route;
    const upstreams = new Map((status.upstreams ?? []).map((upstream) =>
      [upstream.name, sum(Object.values(upstream.attempts ?? {}), (count) => count)]));
    samples.push({
      time, status, upstreams,
      requests: status.requests?.total ?? 0,
      errors4: sum(routes, (route) => route["4xx"]),
      errors5: sum(routes, (route) => route["5xx"]),
      aborts: status.requests?.client_aborts ?? 0,
      tokens: status.tokens?.output ?? 0,
    });
    if (samples.length > keptMax) samples.shift();
  }

  // The newest sample and the one about `seconds` before it; nothing before there are two.
  function span(seconds) {
    const last = samples.at(-1);
    if (!last || samples.length < 2) return null;
    const first = samples.find((sample) => last.time - sample.time <= seconds * 1000 + 250);
    if (first && first !== last) return { first, last };
    return { first: samples.at(-2), last };
  }

  function difference(seconds, pick) {
    const ends = span(seconds);
    return ends ? Math.max(0, (pick(ends.last) ?? 0) - (pick(ends.first) ?? 0)) : null;
  }

  function rate(seconds, pick) {
    const ends = span(seconds);
    if (!ends) return null;
    const elapsed = (ends.last.time - ends.first.time) / 1000;
    return elapsed > 0 ? difference(seconds, pick) / elapsed : null;
  }

  // Rates between neighbours, with the time of the later one.
  function series(pick) {
    return samples.slice(1).map((sample, index) => {
      const before = samples[index];
      const elapsed = (sample.time - before.time) / 1000;
      return { time: sample.time, value: Math.max(0, pick(sample) - pick(before)) / elapsed };
    });
  }

  // Quantiles of the latencies of the last `seconds`: the buckets of two documents subtracted.
  function quantiles(seconds, latency) {
    const ends = span(seconds);
    if (!ends) return null;
    const before = new Map(ends.first.status.latency?.[latency]?.buckets ?? []);
    const buckets = (ends.last.status.latency?.[latency]?.buckets ?? [])
      .map(([value, count]) => [value, count - (before.get(value) ?? 0)])
      .filter(([, count]) => count > 0);
    const total = sum(buckets, ([, count]) => count);
    if (total === 0) return null;
    return [0.5, 0.9, 0.99].map((quantile) => {
      let seen = 0;
      for (const [value, count] of buckets) {
        seen += count;
        if (seen >= quantile * total) return value;
      }
      return buckets.at(-1)[0];
    });
  }

  return { add, rate, difference, series, quantiles, length: () => samples.length };
})();

const Text = (() => {
  const none = "–";
  const known = (value) => value !== null && value !== undefined && !Number.isNaN(value);
  const count = (value) => known(value) ? Math.round(value).toLocaleString("en-US") : none;

  function rate(value) {
    if (!known(value)) return none;
    if (value >= 100) return count(value);
    return value === 0 ? "0" : value.toFixed(value >= 10 ? 1 : 2);
  }

  function milliseconds(value) {
    if (!known(value)) return none;
    if (value >= 10000) return (value / 1000).toFixed(1) + " s";
    if (value >= 1000) return (value / 1000).toFixed(2) + " s";
    return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2) + " ms";
  }

  function span(seconds) {
    if (!known(seconds)) return none;
    const units = [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]];
    let rest = Math.max(0, Math.round(seconds));
    const parts = [];
    for (const [name, size] of units) {
      if (rest >= size || (name === "s" && parts.length === 0)) parts.push(Math.floor(rest / size) + name);
      rest %= size;
    }
    return parts.slice(0, 2).join(" ");
  }

  function size(bytes) {
    if (!known(bytes)) return none;
    const names = ["B", "KiB", "MiB", "GiB", "TiB"];
    let index = 0;
    while (bytes >= 1024 && index < names.length - 1) { bytes /= 1024; index += 1; }
    return (index === 0 ? bytes : bytes.toFixed(1)) + " " + names[index];
  }

  const short = (value) => {
    if (!known(value)) return none;
    if (value >= 1e9) return (value / 1e9).toFixed(1) + " G";
    if (value >= 1e6) return (value / 1e6).toFixed(1) + " M";
    if (value >= 1e5) return (value / 1e3).toFixed(0) + " k";
    return count(value);
  };

  function share(part, whole) {
    if (!known(part) || !whole) return none;
    const percent = 100 * part / whole;
    return (percent === 0 || percent >= 10 ? percent.toFixed(0) : percent.toFixed(1)) + " %";
  }

  // The time of a day; of another day also which one.
  function clock(date) {
    const time = date.toLocaleTimeString("en-GB");
    if (date.toDateString() === new Date().toDateString()) return time;
    return date.toLocaleDateString("en-GB", { day: "numeric", month: "short" }) + " " + time;
  }

  const label = (name) => name.replaceAll("_", " ");
  const signals = { 1: "HUP", 2: "INT", 3: "QUIT", 4: "ILL", 5: "TRAP", 6: "ABRT", 7: "BUS", 8: "FPE", 9: "KILL", 11: "SEGV", 13: "PIPE", 15: "TERM", 24: "XCPU", 31: "SYS" };
  const signal = (number) => signals[number] ? "SIG" + signals[number] : "signal " + number;

  return { none, known, count, rate, milliseconds, span, size, short, share, clock, label, signal };
})();
