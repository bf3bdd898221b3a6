// The controls of the partner simulators, as `/simulators/v1` uses them. Of test environments only.
//
// A wish that got no answer may have been heard. Time is told as a total, so that it can be told again; the rest is for people
// who look at what came of it.

import { ApiProblem } from './errors.ts';
import { limits } from './limits.ts';
import type { JsonObject } from './parts.ts';

export interface PartnerControls {
  /** Throws the problem: `validation-failed` or `not-found` with the partner's words, `dependency-failed` where nobody answers. */
  call(method: 'GET' | 'POST' | 'PUT', path: string, body?: JsonObject): Promise<JsonObject>;
}

export function partnerControls(url: string): PartnerControls {
  return {
    async call(method, path, body) {
      const sent = { method, signal: AbortSignal.timeout(limits.controlMs), redirect: 'error' } as const;
      const content = { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
      let status: number;
      let answer: JsonObject;
      try {
        const response = await fetch(new URL(path, url), body === undefined ? sent : { ...sent, ...content });
        status = response.status;
        answer = objectOf(await response.text());
      } catch (cause) {
        throw new ApiProblem('dependency-failed', { detail: 'The partner simulators do not answer.' }, { cause });
      }
      if (status < 300) return answer;
      const detail = String(answer.detail ?? answer.code ?? `status ${status}`).slice(0, limits.controlDetailMax);
      if (status === 404) throw new ApiProblem('not-found', { detail });
      if (status < 500) throw new ApiProblem('validation-failed', { detail });
      throw new ApiProblem('dependency-failed', { detail });
    },
  };
}

/** What is no object says nothing. */
function objectOf(text: string): JsonObject {
  const value: unknown = text === '' ? {} : JSON.parse(text);
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}
