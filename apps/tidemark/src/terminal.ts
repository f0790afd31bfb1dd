/** Where a command writes: results on `out`, everything else on `err`. Tests bring their own. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** Whether somebody looks at standard error, so that a bar may move there. */
  readonly live: boolean;
  /** Whether questions may be asked. */
  readonly interactive: boolean;
  readonly colourOut: boolean;
  readonly colourErr: boolean;
}

export function processTerminal(env: NodeJS.ProcessEnv = process.env): Terminal {
  // NO_COLOR counts when it is present and not empty, whatever its value.
  const colours = (stream: NodeJS.WriteStream) => stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
  // A reader that goes away (`| head`) ends the output, not the process.
  for (const stream of [process.stdout, process.stderr])
    if (!stream.listeners('error').includes(ignore)) stream.on('error', ignore);
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    live: process.stderr.isTTY === true && env.TERM !== 'dumb',
    interactive: process.stdin.isTTY === true && process.stderr.isTTY === true,
    colourOut: colours(process.stdout),
    colourErr: colours(process.stderr),
  };
}

const ignore = () => {};

const codes = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const;
export type Paint = (colour: keyof typeof codes, text: string) => string;

export function painter(colours: boolean): Paint {
  return (colour, text) => (colours ? `\u001b[${codes[colour]}m${text}\u001b[0m` : text);
}
