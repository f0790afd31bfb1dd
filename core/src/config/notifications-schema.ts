import { z } from 'zod';
import { troubleKinds } from './notifications-config.ts';
import { notes } from './schema.ts';

/** A line break would begin another header. */
const address = z
  .string()
  .regex(
    /^(?:[^<>@\r\n]*<[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)$/,
    'is no address: write ops@example.com or Ops <ops@example.com>',
  );

const webhook = z
  .strictObject({
    url: z
      .url({ protocol: /^https?$/ })
      .refine((url) => !/^https?:\/\/[^/]*@/.test(url), 'takes no user and password: sign requests by a secret')
      .meta({ description: 'Where notifications are sent to by POST, as JSON', secret: true }),
    secret: z.string().min(16).optional().meta({
      description:
        'Known to the receiver too, at least 16 characters: X-Tidemark-Signature then carries sha256= and the HMAC-SHA256 of "timestamp.body" in hexadecimal, X-Tidemark-Timestamp the seconds since 1970',
      secret: true,
    }),
    allowPrivate: z.boolean().default(false).meta({
      description:
        'Also sends to addresses inside your own network (loopback, private, link-local), and without TLS. Off, such an address is refused whatever name leads to it',
    }),
  })
  .refine(({ url, allowPrivate }) => allowPrivate || url.startsWith('https:'), {
    path: ['url'],
    message: 'must be https; http only with allowPrivate: true, inside your own network',
  })
  .meta({ description: 'Sends them by HTTP' });

const email = z
  .strictObject({
    smtp: z
      .url({ protocol: /^smtps?$/ })
      .refine((url) => !/[?#]/.test(url), 'takes no query')
      .meta({ description: 'The mail server: smtps://user:password@mail.example.com', secret: true }),
    from: address.meta({ description: 'Who they come from' }),
    to: z
      .union([address, z.array(address).min(1).max(50)])
      .transform((to) => (typeof to === 'string' ? [to] : to))
      .meta({ description: 'Who gets them' }),
    requireTls: z.boolean().default(true).meta({
      description: 'Sends nothing to a server without TLS. Off only for one of your own that has none',
    }),
  })
  .meta({ description: 'Sends them by e-mail' });

/** One entry of `notifications`. */
export const receiverSchema = z
  .strictObject({
    webhook: webhook.optional(),
    email: email.optional(),
    about: z
      .array(z.enum(troubleKinds))
      .min(1)
      .default([...troubleKinds])
      .meta({ description: 'What it is told of; everything unless told otherwise' }),
    notes,
  })
  .refine((receiver) => (receiver.webhook === undefined) !== (receiver.email === undefined), {
    message: 'takes either webhook or email',
  });
