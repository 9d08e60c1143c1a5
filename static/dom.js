/** Small helpers for making elements. No framework: a screen builds its elements once and changes them in place. */

/**
 * Makes an element. Properties are set as properties when the element has them, else as attributes; `on` holds event
 * listeners, `class` the class list; null and undefined are left out.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [props]
 * @param {...(Node|string|null|undefined)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, props = {}, ...children) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(props)) {
		if (value === null || value === undefined)
			continue;
		if (name === 'class')
			node.className = value;
		else if (name === 'on')
			for (const [event, listener] of Object.entries(value))
				node.addEventListener(event, /** @type {EventListener} */ (listener));
		else if (name in node && !name.includes('-') && name !== 'list')
			/** @type {any} */ (node)[name] = value;
		else
			node.setAttribute(name, String(value));
	}
	node.append(...children.filter((child) => child !== null && child !== undefined));
	return node;
}

/**
 * A copy of a drawing that index.html keeps in a <template>.
 * @param {string} id
 * @returns {DocumentFragment}
 */
export function drawing(id) {
	const template = /** @type {HTMLTemplateElement} */ (document.getElementById(id));
	return /** @type {DocumentFragment} */ (template.content.cloneNode(true));
}

/** True while the person types: single keys are then letters, not commands. @param {EventTarget|null} target */
export function isTyping(target) {
	return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement ||
		(target instanceof HTMLInputElement && !['checkbox', 'range'].includes(target.type));
}

/** Waits. @param {number} ms @returns {Promise<void>} */
export function sleep(ms) {
	return new Promise((resolve) => {
		setTimeout(resolve, ms);
	});
}
