// The customer's phone, as the simulated notification partner shows it.

interface PhoneMessage {
  readonly subject: string;
  readonly code?: string;
  readonly at: string;
}

const READ_MS_MAX = 3_000;

/** One-time codes that came for a delivery, oldest first. Empty when the phone cannot be read just now. */
export async function codesFor(simulatorUrl: string, phone: string, deliveryId: string): Promise<readonly string[]> {
  try {
    const response = await fetch(`${simulatorUrl}/phone/${encodeURIComponent(phone)}/messages`, {
      signal: AbortSignal.timeout(READ_MS_MAX),
    });
    if (!response.ok) return [];
    const { messages } = (await response.json()) as { readonly messages: readonly PhoneMessage[] }; // The simulator's own form.
    return messages.flatMap(({ subject, code }) => (subject === deliveryId && code !== undefined ? [code] : []));
  } catch {
    return [];
  }
}
