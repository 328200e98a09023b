// What makes a PLM special, live: few neurons fire, and its cache is small.
import { useLayoutEffect, useRef } from "preact/hooks";
import { bytes, count, percent, rate } from "../model/numbers";
import type { Stats } from "../model/types";
import { meanShare, type Activity } from "../server/activity";
import { activity, activityHistory, HISTORY } from "../state/activity";
import { isAnswering, liveRate } from "../state/answers";
import { path } from "../state/chats";
import { properties } from "../state/connection";

export function Inside() {
  const seen = activity.value;
  const stats = [...path.value].reverse().find((message) => message.stats)?.stats;
  return (
    <div class="inside">
      <Speed stats={stats} />
      {seen?.neurons && <Neurons neurons={seen.neurons} mean={meanShare(seen)} />}
      {seen && <Cache cache={seen.cache} tokens={stats ? stats.promptTokens + stats.answerTokens : 0} />}
      {seen?.neurons && <Layers neurons={seen.neurons} />}
      {!seen && <p class="hint">Nothing is known yet.</p>}
    </div>
  );
}

function Speed({ stats }: { stats: Stats | undefined }) {
  const live = isAnswering.value ? liveRate.value : null;
  const perSecond = live ?? stats?.answerPerSecond ?? 0;
  return (
    <section aria-label="Speed">
      <h2>Speed</h2>
      <p class="figure">
        <b>{perSecond > 0 ? rate(perSecond) : "–"}</b> tokens a second
      </p>
      {stats && (
        <p class="hint">
          Prompt: {count(stats.promptTokens)} tokens
          {stats.cachedTokens > 0 && `, ${count(stats.cachedTokens)} of them remembered`}
          {stats.promptPerSecond > 0 && `; read at ${rate(stats.promptPerSecond)} a second`}
        </p>
      )}
    </section>
  );
}

function Neurons({ neurons, mean }: { neurons: NonNullable<Activity["neurons"]>; mean: number }) {
  const hasRun = neurons.tokens > 0;
  return (
    <section aria-label="Neurons">
      <h2>Neurons that fire</h2>
      <p class="figure">
        <b>{hasRun ? percent(mean) : "–"}</b> of {count(neurons.perLayer * neurons.liveShare.length)}
      </p>
      <p class="hint">
        {hasRun
          ? `The squared ReLU leaves the others at exactly zero, so ${percent(1 - mean)} of the last projection's weights need not be read.`
          : "Ask something, and see which share of them it takes."}
      </p>
      <Strip />
    </section>
  );
}

function Layers({ neurons }: { neurons: NonNullable<Activity["neurons"]> }) {
  const hasRun = neurons.tokens > 0;
  return (
    <section aria-label="Neurons by layer">
      <h2>Layer by layer</h2>
      <ol class="layers" aria-label="Share of neurons that fired, by layer">
        {neurons.liveShare.map((share, layer) => (
          <li key={layer}>
            <span class="layer">{layer + 1}</span>
            <span class="bar">
              <span style={{ width: `${Math.max(share * 100, hasRun ? 0.5 : 0)}%` }} />
            </span>
            <span class="share">{hasRun ? percent(share) : "–"}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** The last seconds: a column for each look, a row for each layer, brighter where more fired. */
function Strip() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const history = activityHistory.value;
  useLayoutEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context) return;
    const rows = history[0]?.length ?? 1;
    element.width = HISTORY;
    element.height = rows;
    context.fillStyle = getComputedStyle(element).color;
    history.forEach((shares, column) =>
      shares.forEach((share, row) => {
        context.globalAlpha = Math.min(1, 0.06 + 0.94 * Math.sqrt(share));
        context.fillRect(HISTORY - history.length + column, row, 1, 1);
      }),
    );
  }, [history]);
  if (history.length === 0) return null;
  return <canvas ref={canvas} class="strip" role="img" aria-label="Share of neurons that fired over the last seconds, a row for each layer" />;
}

function Cache({ cache, tokens }: { cache: Activity["cache"]; tokens: number }) {
  const times = cache.expandedBytesPerToken / cache.bytesPerToken;
  const room = properties.value?.contextLength ?? 0;
  return (
    <section aria-label="Cache">
      <h2>Memory of this chat</h2>
      <p class="figure">
        <b>{bytes(tokens * cache.bytesPerToken)}</b> for {count(tokens)} tokens
      </p>
      {cache.isLatent && (
        <>
          <dl class="compare">
            <dt>Latent cache</dt>
            <dd>
              <span class="bar"><span style={{ width: `${100 / times}%` }} /></span>
              {bytes(cache.bytesPerToken)} a token
            </dd>
            <dt>Keys and values of all heads</dt>
            <dd>
              <span class="bar other"><span style={{ width: "100%" }} /></span>
              {bytes(cache.expandedBytesPerToken)} a token
            </dd>
          </dl>
          <p class="hint">{times.toFixed(1)} times smaller: all heads share one latent vector a layer ({cache.type}).</p>
        </>
      )}
      {room > 0 && (
        <p class="hint">
          {percent(Math.min(1, tokens / room))} of the context of {count(room)} tokens
        </p>
      )}
    </section>
  );
}
