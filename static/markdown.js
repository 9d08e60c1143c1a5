/**
 * A subset of Markdown as DOM nodes: headings, paragraphs, lists, quotes, emphasis, code, links to http(s), the project's own
 * pictures. Nodes are made one by one and text is only ever text, so that nothing a page holds can become an element
 * that is not named here.
 */
import { el } from './dom.js';

/** A block's first line. A heading is one level lower than written: h1 is the page's. */
const HEADING = /^(#{1,4})\s+(.+?)\s*#*$/;
const ITEM = /^\s*(?:[-*+]|(\d{1,4})[.)])\s+(.*)$/;
const QUOTE = /^>\s?(.*)$/;
const RULE = /^\s*([-*_])\s*(?:\1\s*){2,}$/;
/** In a line: `code`, ![picture](address), [text](address), **strong**, *emphasis* or _emphasis_, or a \ before a sign. */
const INLINE = new RegExp([/\\([\\`*_[\]()!#>-])/, /`([^`]+)`/, /!\[([^\]]*)\]\(([^\s)]+)\)/, /\[([^\]]+)\]\(([^\s)]+)\)/,
	/\*\*(?=\S)(.+?)\*\*/, /\*(?=\S)([^*]+?)\*/, /(?<![\p{L}\p{N}])_(?=\S)([^_]+?)_(?![\p{L}\p{N}])/].map(({ source }) => source).join('|'), 'u');
const NEST_MOST = 6;

/**
 * @param {string} text Markdown
 * @param {string} own what the address of a picture must begin with: `/api/projects/SLUG/files/`
 * @returns {DocumentFragment}
 */
export function render(text, own) {
	const fragment = document.createDocumentFragment();
	const lines = text.replace(/\r\n?/g, '\n').split('\n');
	const inline = (/** @type {string} */ line) => spans(line, own, 0);
	/** The lines from i on that this takes, and what it makes of each. @param {number} i @param {(line: string) => string|undefined} take */
	const run = (i, take) => {
		const taken = [];
		for (let line = take(lines[i]); line !== undefined; line = i + taken.length < lines.length ? take(lines[i + taken.length]) : undefined)
			taken.push(line);
		return taken;
	};
	for (let i = 0; i < lines.length;) {
		const heading = HEADING.exec(lines[i]);
		const item = ITEM.exec(lines[i]);
		if (lines[i].trim() === '')
			i++;
		else if (heading) {
			const level = /** @type {'h2'|'h3'|'h4'|'h5'} */ (`h${heading[1].length + 1}`);
			fragment.append(el(level, {}, ...inline(heading[2])));
			i++;
		} else if (RULE.test(lines[i])) {
			fragment.append(el('hr'));
			i++;
		} else if (item) {
			const isNumbered = item[1] !== undefined;
			const items = run(i, (line) => {
				const found = ITEM.exec(line);
				return found && (found[1] !== undefined) === isNumbered && !RULE.test(line) ? found[2] : undefined;
			});
			fragment.append(el(isNumbered ? 'ol' : 'ul', isNumbered ? { start: Number(item[1]) } : {}, ...items.map((one) => el('li', {}, ...inline(one)))));
			i += items.length;
		} else if (QUOTE.test(lines[i])) {
			const quoted = run(i, (line) => QUOTE.exec(line)?.[1]);
			fragment.append(el('blockquote', {}, el('p', {}, ...inline(quoted.join(' ')))));
			i += quoted.length;
		} else {
			const words = run(i, (line) => line.trim() === '' || HEADING.test(line) || ITEM.test(line) || QUOTE.test(line) || RULE.test(line) ? undefined : line.trim());
			fragment.append(el('p', {}, ...inline(words.join(' '))));
			i += words.length;
		}
	}
	return fragment;
}

/**
 * @param {string} text one block's @param {string} own @param {number} depth
 * @returns {(Node|string)[]}
 */
function spans(text, own, depth) {
	/** @type {(Node|string)[]} */
	const nodes = [];
	let rest = text;
	for (let m = INLINE.exec(rest); m && depth < NEST_MOST; m = INLINE.exec(rest)) {
		const [whole, escaped, code, alt, source, label, address, strong, em, em_] = m;
		nodes.push(rest.slice(0, m.index));
		const inner = (/** @type {string} */ part) => spans(part, own, depth + 1);
		if (escaped !== undefined)
			nodes.push(escaped);
		else if (code !== undefined)
			nodes.push(el('code', {}, code));
		else if (source !== undefined)
			nodes.push(isOwn(source, own) ? el('img', { src: source, alt, loading: 'lazy' }) : alt);
		else if (address !== undefined)
			nodes.push(/^https?:\/\//i.test(address) ?
				el('a', { href: address, rel: 'noreferrer', target: '_blank' }, ...inner(label)) : el('span', {}, ...inner(label)));
		else if (strong !== undefined)
			nodes.push(el('strong', {}, ...inner(strong)));
		else
			nodes.push(el('em', {}, ...inner(em ?? em_)));
		rest = rest.slice(m.index + whole.length);
	}
	nodes.push(rest);
	return nodes.filter((node) => node !== '');
}

/** A file of the project itself, and nothing that climbs out of its folder. @param {string} address @param {string} own */
const isOwn = (address, own) => address.startsWith(own) && /^[0-9a-f]+\.(png|jpg|webp|svg)$/.test(address.slice(own.length));
