/** XML as S3 speaks it: elements and text; attributes and namespaces say nothing here. */
import { Parser } from "htmlparser2";

export interface XmlElement {
  readonly name: string;
  /** Of its own, entities decoded. */
  readonly text: string;
  readonly children: readonly XmlElement[];
}

interface Growing {
  readonly name: string;
  text: string;
  readonly children: Growing[];
}

/** The root; null when the document is not whole: an end that is missing could hide what it would have said. */
export function parseXml(xml: string): XmlElement | null {
  const root: Growing = { name: "", text: "", children: [] };
  const open = [root];
  const parser = new Parser(
    {
      onopentag(name) {
        const element: Growing = { name, text: "", children: [] };
        open.at(-1)?.children.push(element);
        open.push(element);
      },
      ontext(text) {
        const element = open.at(-1);
        if (element !== undefined) element.text += text;
      },
      onclosetag() {
        open.pop();
      },
    },
    { xmlMode: true, decodeEntities: true },
  );
  parser.write(xml);
  // The end of the document would close what was left open.
  const whole = open.length === 1;
  parser.end();
  return whole && root.children.length === 1 ? (root.children[0] ?? null) : null;
}

/** The text of the first child of that name. */
export function leafOf(element: XmlElement, name: string): string | null {
  return element.children.find((child) => child.name === name)?.text ?? null;
}

/** Children of that name. */
export function childrenOf(element: XmlElement, name: string): readonly XmlElement[] {
  return element.children.filter((child) => child.name === name);
}

export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => ESCAPES[c] ?? c);
}

/** By name: not every server decodes numbers. */
const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};
