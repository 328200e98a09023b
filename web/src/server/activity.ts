// What the model does as it writes, from /v1/plm/activity.
import { askJson } from "./client";

export interface Activity {
  /** Null where the model has no squared ReLU. */
  neurons: { perLayer: number; tokens: number; liveShare: number[] } | null;
  cache: { isLatent: boolean; type: string; bytesPerToken: number; expandedBytesPerToken: number };
}

export function readActivity(json: unknown): Activity {
  const { neurons, cache } = json as {
    neurons: { per_layer: number; n_tokens: number; live_share: number[] } | null;
    cache: { is_latent: boolean; type: string; bytes_per_token: number; expanded_bytes_per_token: number };
  };
  return {
    neurons: neurons && { perLayer: neurons.per_layer, tokens: neurons.n_tokens, liveShare: neurons.live_share },
    cache: {
      isLatent: cache.is_latent,
      type: cache.type,
      bytesPerToken: cache.bytes_per_token,
      expandedBytesPerToken: cache.expanded_bytes_per_token,
    },
  };
}

export async function askActivity(): Promise<Activity> {
  return readActivity(await askJson("/v1/plm/activity"));
}

export function meanShare(activity: Activity): number {
  const shares = activity.neurons?.liveShare ?? [];
  return shares.length === 0 ? 0 : shares.reduce((sum, share) => sum + share, 0) / shares.length;
}
