import type { Transporter } from 'nodemailer';
import { NotConnectedError } from '../../base/errors.ts';
import { scrub } from '../../base/secrets.ts';
import type { EmailConfig } from '../../config/notifications-config.ts';
import { messageId, subjectOf, textOf } from './notification.ts';
import type { Receiver } from './receiver.ts';

const CONNECT_MS = 10_000;
const SILENT_MS = 20_000;

/** Tells by e-mail. A mail server is usually inside one's own network: it is reached wherever it is. */
export function emailReceiver({ smtp, from, to, requireTls }: EmailConfig): Receiver {
  const { hostname, port, protocol, username, password } = new URL(smtp);

  /** Loaded when there is something to send. */
  async function open(): Promise<Transporter> {
    const { createTransport } = await import('nodemailer');
    const secure = protocol === 'smtps:';
    return createTransport({
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port: port === '' ? (secure ? 465 : 587) : Number(port),
      secure,
      requireTLS: !secure && requireTls,
      ...(username === '' ? {} : { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } }),
      connectionTimeout: CONNECT_MS,
      greetingTimeout: CONNECT_MS,
      socketTimeout: SILENT_MS,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
  }

  async function talk(work: (transport: Transporter) => Promise<unknown>): Promise<void> {
    const transport = await open();
    try {
      await work(transport);
    } catch (error) {
      throw new NotConnectedError(`the mail server ${hostname}: ${scrub((error as Error).message)}`);
    } finally {
      transport.close();
    }
  }

  return {
    send: (notifications, signal) =>
      talk((transport) =>
        transport.sendMail({
          ...{ from, to: [...to], signal },
          subject: `[Tidemark] ${subjectOf(notifications)}`,
          text: `${textOf(notifications)}\n`,
          messageId: `<${messageId(notifications)}@tidemark>`,
          // No answering machine answers.
          headers: { 'auto-submitted': 'auto-generated' },
        }),
      ),
    check: () => talk((transport) => transport.verify()),
  };
}
