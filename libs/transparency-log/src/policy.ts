import { parseVkey } from './note-key.js';
import type { NoteVerifier } from './signed-note.js';

/** C2SP tlog-policy: which logs and witnesses are believed, and how many cosignatures a checkpoint needs. */
export interface TlogPolicy {
  readonly logs: readonly { readonly key: NoteVerifier; readonly url?: string }[];
  readonly witnesses: readonly { readonly name: string; readonly key: NoteVerifier; readonly url?: string }[];
  /** Whether these witnesses' cosignatures are enough. */
  isQuorum(cosigners: readonly NoteVerifier[]): boolean;
}

/** The text is not a policy; `message` names the line. */
export class PolicyRefused extends Error {
  override readonly name = 'PolicyRefused';
}

type Rule = (cosigned: ReadonlySet<string>) => boolean;

/** Throws PolicyRefused at the first line that is wrong: a policy read half would trust too much or too little. */
export function parsePolicy(text: string): TlogPolicy {
  const logs: { key: NoteVerifier; url?: string }[] = [];
  const witnesses: { name: string; key: NoteVerifier; url?: string }[] = [];
  const rules = new Map<string, Rule>();
  let quorum: Rule | undefined;

  const keyOf = (vkey: string, kind: NoteVerifier['kind'], others: readonly { key: NoteVerifier }[]) => {
    const key = parseVkey(vkey);
    if (key.kind !== kind) throw new Error(`the key must be of type ${kind}`);
    if (others.some((other) => Buffer.compare(other.key.publicKey, key.publicKey) === 0)) throw new Error('the key stands twice');
    return key;
  };
  const define = (name: string, rule: Rule) => {
    if (name === 'none' || rules.has(name)) throw new Error(`the name ${name} is taken`);
    rules.set(name, rule);
  };
  const ruleOf = (name: string): Rule => {
    const rule = rules.get(name);
    if (rule === undefined) throw new Error(`${name} is not defined above`);
    return rule;
  };
  const read = (words: readonly string[]) => {
    const [keyword, first, second, ...rest] = words;
    if (keyword === 'log' && first !== undefined && rest.length === 0) {
      logs.push({ key: keyOf(first, 'ed25519', logs), ...(second === undefined ? {} : { url: second }) });
    } else if (keyword === 'witness' && first !== undefined && second !== undefined && rest.length <= 1) {
      const key = keyOf(second, 'cosignature/v1', witnesses);
      define(first, (cosigned) => cosigned.has(key.vkey));
      witnesses.push({ name: first, key, ...(rest[0] === undefined ? {} : { url: rest[0] }) });
    } else if (keyword === 'group' && first !== undefined && second !== undefined && rest.length > 0) {
      const members = rest.map(ruleOf);
      const needed = second === 'all' ? members.length : second === 'any' ? 1 : /^[1-9][0-9]{0,4}$/.test(second) ? Number(second) : 0;
      if (needed < 1 || needed > members.length) throw new Error(`${second} of ${members.length} members makes no sense`);
      define(first, (cosigned) => members.filter((member) => member(cosigned)).length >= needed);
    } else if (keyword === 'quorum' && first !== undefined && second === undefined) {
      if (quorum !== undefined) throw new Error('the quorum stands twice');
      quorum = first === 'none' ? () => true : ruleOf(first);
    } else {
      throw new Error('not a line of a policy');
    }
  };

  for (const [at, line] of text.split('\n').entries()) {
    const words = line.split(/[ \t]+/).filter((word) => word !== '');
    if (words.length === 0 || words[0]!.startsWith('#')) continue;
    try {
      read(words);
    } catch (error) {
      throw new PolicyRefused(`Line ${at + 1}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (quorum === undefined) throw new PolicyRefused('The policy has no quorum line');
  const judge = quorum;
  return { logs, witnesses, isQuorum: (cosigners) => judge(new Set(cosigners.map((key) => key.vkey))) };
}
