// SPDX-License-Identifier: MIT
/*
 * YAML text to a tree of nodes with positions. The only file that talks to libfyaml; works on its
 * events, so that depth and number of nodes are limited before anything is built. Anchors, aliases,
 * tags and further documents are refused. Never prints, never exits. Layer: scenario.
 */
#include "scenario/reader.h"

#include <errno.h>
#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>

/* The deepest valid scenario needs 11. */
#define DEPTH_MAX 24
#define NODES_MAX 262144u
/* Bytes that one scalar may take in the file. The parser itself misbehaves with huge ones. */
#define SCALAR_MAX 4096u

struct builder {
	struct scn_reader *r;
	const char *text;
	size_t size;
	struct scn_node *stack[DEPTH_MAX];
	u32 depth;
	struct scn_node *root;
	u32 documents;
};

struct position {
	u32 line;
	u32 column;
};

/* Length of the valid UTF-8 character at @p, 0 if there is none. */
static size_t utf8_size(const u8 *p, size_t left)
{
	static const u32 smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	u32 c;
	size_t n;

	if (p[0] < 0x80)
		return 1;
	if ((p[0] & 0xe0) == 0xc0)
		n = 2;
	else if ((p[0] & 0xf0) == 0xe0)
		n = 3;
	else if ((p[0] & 0xf8) == 0xf0)
		n = 4;
	else
		return 0;
	if (n > left)
		return 0;
	c = p[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return n;
}

/*
 * Only UTF-8 without control characters reaches the YAML parser. A byte order mark is fine, but
 * only as the first character. Directives do not reach it either: a scenario needs none, and the
 * parser takes quadratic time over a long one.
 */
static int check_bytes(struct scn_reader *r, const char *text, size_t size)
{
	const u8 *p = (const u8 *)text;
	u32 line = 1, column = 1;
	size_t i = 0, n;

	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		i = 3;
	for (; i < size; i += n) {
		n = utf8_size(p + i, size - i);
		if (n == 0)
			return scn_fail_at(r, line, column,
					   "found byte 0x%02x; expected UTF-8 text", p[i]);
		if ((n == 1 && (p[i] < 0x20 || p[i] == 0x7f) && p[i] != '\t' && p[i] != '\n' &&
		     p[i] != '\r') ||
		    (n == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0) ||
		    (n == 3 && memcmp(p + i, "\xef\xbb\xbf", 3) == 0))
			return scn_fail_at(r, line, column,
					   "found a control character; expected text");
		if (p[i] == '%' && column == 1)
			return scn_fail_at(r, line, column,
					   "found a directive; expected a scenario without");
		if (p[i] == '\n' || (p[i] == '\r' && (i + 1 == size || p[i + 1] != '\n'))) {
			line++;
			column = 1;
		} else {
			column++;
		}
	}
	return 0;
}

static struct position mark_position(const struct fy_mark *m)
{
	if (!m)
		return (struct position){ 1, 1 };
	return (struct position){ (u32)m->line + 1, (u32)m->column + 1 };
}

/* Where a node stands, with the quote of a quoted scalar; an unwritten one takes its place. */
static struct position event_position(const struct builder *b, struct fy_event *e)
{
	const struct fy_mark *m = fy_event_start_mark(e);
	const struct scn_node *parent = b->depth ? b->stack[b->depth - 1] : NULL;
	struct position at = mark_position(m);

	if (m && e->type == FYET_SCALAR && at.column > 1 && m->input_pos <= b->size) {
		enum fy_scalar_style style = fy_token_scalar_style(e->scalar.value);

		if (style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED)
			at.column--;
	}
	if (!m && parent && parent->kind == SCN_NODE_MAP && parent->count % 2 == 1)
		return (struct position){ parent->last->line, parent->last->column };
	if (!m && parent)
		return (struct position){ parent->line, parent->column };
	return at;
}

static int add_node(struct builder *b, enum scn_node_kind kind, const char *text, size_t size,
		    bool quoted, struct position at)
{
	struct scn_reader *r = b->r;
	struct scn_node *parent = b->depth ? b->stack[b->depth - 1] : NULL;
	struct scn_node *n;

	if (r->node_count == NODES_MAX)
		return scn_fail_at(r, at.line, at.column,
				   "found more than %u values; expected a smaller file", NODES_MAX);
	n = calloc(1, sizeof(*n) + size + 1);
	if (!n)
		return scn_no_memory(r);
	n->all = r->nodes;
	r->nodes = n;
	r->node_count++;
	n->kind = kind;
	n->quoted = quoted;
	n->line = at.line;
	n->column = at.column;
	n->size = size;
	if (size)
		memcpy(n->text, text, size);

	if (!parent) {
		b->root = n;
	} else {
		if (!parent->first) {
			parent->first = n;
			/* The mark of "[key: value]" lies behind the key. */
			if (n->line < parent->line ||
			    (n->line == parent->line && n->column < parent->column)) {
				parent->line = n->line;
				parent->column = n->column;
			}
		} else {
			parent->last->next = n;
		}
		parent->last = n;
		parent->count++;
	}
	if (kind == SCN_NODE_LIST || kind == SCN_NODE_MAP) {
		if (b->depth == DEPTH_MAX)
			return scn_fail_at(r, at.line, at.column,
					   "found more than %d levels of nesting; expected fewer",
					   DEPTH_MAX);
		b->stack[b->depth++] = n;
	}
	return 0;
}

/* Anchors and tags could only make a scenario harder to read. */
static int check_properties(struct builder *b, struct fy_token *anchor, struct fy_token *tag)
{
	struct fy_token *token = anchor ? anchor : tag;
	struct position at;

	if (!token)
		return 0;
	at = mark_position(fy_token_start_mark(token));
	/* The mark of an anchor lies behind its '&'. */
	if (anchor && at.column > 1)
		at.column--;
	return scn_fail_at(b->r, at.line, at.column, "found %s; expected a value written out",
			   anchor ? "an anchor" : "a tag");
}

/* Where the value of a scalar stands in the file, without its quotes. */
static size_t scalar_span(const struct builder *b, struct fy_token *token, const char **start)
{
	const struct fy_mark *from = fy_token_start_mark(token), *to = fy_token_end_mark(token);

	if (!from || !to || to->input_pos < from->input_pos || to->input_pos > b->size)
		return 0;
	*start = b->text + from->input_pos;
	return to->input_pos - from->input_pos;
}

/*
 * A single-quoted scalar. The library leaks memory when it decodes several doubled quotes in a
 * row, so this decodes them itself; over several lines it is refused.
 */
static int add_single_quoted(struct builder *b, const char *text, size_t size, struct position at)
{
	char buf[SCALAR_MAX + 1];
	size_t used = 0;

	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\n' || text[i] == '\r')
			return scn_fail_at(b->r, at.line, at.column,
					   "found a quoted value over several lines; expected one "
					   "line");
		if (text[i] == '\'' && i + 1 < size)
			i++;
		buf[used++] = text[i];
	}
	return add_node(b, SCN_NODE_SCALAR, buf, used, true, at);
}

static int add_scalar(struct builder *b, struct fy_token *token, struct position at)
{
	enum fy_scalar_style style = fy_token_scalar_style(token);
	const char *text = NULL;
	size_t size;

	if (!token)
		return add_node(b, SCN_NODE_NULL, NULL, 0, false, at);
	size = scalar_span(b, token, &text);
	if (size > SCALAR_MAX)
		return scn_fail_at(b->r, at.line, at.column,
				   "found a value of %zu bytes; expected at most %u", size,
				   SCALAR_MAX);
	if (style == FYSS_SINGLE_QUOTED)
		return add_single_quoted(b, text, size, at);
	text = fy_token_get_text(token, &size);
	if (!text)
		return scn_no_memory(b->r);
	if (size == 0 && style == FYSS_PLAIN)
		return add_node(b, SCN_NODE_NULL, NULL, 0, false, at);
	return add_node(b, SCN_NODE_SCALAR, text, size, style != FYSS_PLAIN, at);
}

static int add_event(struct builder *b, struct fy_event *e)
{
	struct position at = event_position(b, e);
	int ret;

	if (b->documents > 1)
		return scn_fail_at(b->r, at.line, at.column,
				   "found a second document; expected one");
	switch (e->type) {
	case FYET_SCALAR:
		ret = check_properties(b, e->scalar.anchor, e->scalar.tag);
		if (ret)
			return ret;
		return add_scalar(b, e->scalar.value, at);
	case FYET_SEQUENCE_START:
		ret = check_properties(b, e->sequence_start.anchor, e->sequence_start.tag);
		if (ret)
			return ret;
		return add_node(b, SCN_NODE_LIST, NULL, 0, false, at);
	case FYET_MAPPING_START:
		ret = check_properties(b, e->mapping_start.anchor, e->mapping_start.tag);
		if (ret)
			return ret;
		return add_node(b, SCN_NODE_MAP, NULL, 0, false, at);
	case FYET_ALIAS:
		return scn_fail_at(b->r, at.line, at.column > 1 ? at.column - 1 : at.column,
				   "found an alias; expected a value written out");
	default:
		return 0;
	}
}

/* The parser's own complaint, with its position. */
static int syntax_error(struct scn_reader *r, struct fy_diag *diag)
{
	struct fy_diag_error *e;
	void *iter = NULL;

	while ((e = fy_diag_errors_iterate(diag, &iter)))
		if (e->type == FYET_ERROR && e->msg)
			return scn_fail_at(r, e->line > 0 ? (u32)e->line : 1,
					   e->column > 0 ? (u32)e->column : 1,
					   "found broken YAML (%.200s); expected valid YAML",
					   e->msg);
	return scn_fail_at(r, 1, 1, "found broken YAML; expected valid YAML");
}

static void drop_output(struct fy_diag *diag, void *user, const char *buf, size_t len)
{
	(void)diag;
	(void)user;
	(void)buf;
	(void)len;
}

static int parse_events(struct builder *b, struct fy_parser *parser, struct fy_diag *diag)
{
	struct fy_event *e;
	bool ended = false;
	int ret = 0;

	while (!ret && !ended && (e = fy_parser_parse(parser))) {
		struct position at;

		switch (e->type) {
		case FYET_STREAM_END:
			ended = true;
			break;
		case FYET_DOCUMENT_START:
			if (b->documents++ && fy_event_start_mark(e)) {
				at = mark_position(fy_event_start_mark(e));
				ret = scn_fail_at(b->r, at.line, at.column,
						  "found a second document; expected one");
			}
			break;
		case FYET_SEQUENCE_END:
		case FYET_MAPPING_END:
			b->depth--;
			break;
		case FYET_SCALAR:
		case FYET_ALIAS:
		case FYET_SEQUENCE_START:
		case FYET_MAPPING_START:
			ret = add_event(b, e);
			break;
		default:
			break;
		}
		fy_parser_event_free(parser, e);
	}
	if (!ret && (!ended || fy_diag_got_error(diag)))
		ret = syntax_error(b->r, diag);
	return ret;
}

int scn_tree_build(struct scn_reader *r, const char *text, size_t size, struct scn_node **root)
{
	struct builder b = { .r = r, .text = text, .size = size };
	struct fy_diag_cfg diag_cfg;
	struct fy_parse_cfg cfg = {
		.search_path = "",
		.flags = FYPCF_QUIET | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE,
	};
	struct fy_parser *parser = NULL;
	struct fy_diag *diag;
	int ret;

	if (size > SCN_FILE_MAX)
		return scn_fail_at(r, 1, 1, "found more than %u bytes; expected a smaller file",
				   SCN_FILE_MAX);
	ret = check_bytes(r, text, size);
	if (ret)
		return ret;

	fy_diag_cfg_default(&diag_cfg);
	diag_cfg.fp = NULL;
	diag_cfg.output_fn = drop_output;
	diag_cfg.colorize = false;
	diag = fy_diag_create(&diag_cfg);
	if (!diag)
		return scn_no_memory(r);
	fy_diag_set_collect_errors(diag, true);
	cfg.diag = diag;
	parser = fy_parser_create(&cfg);
	if (!parser || fy_parser_set_string(parser, size ? text : "", size))
		ret = scn_no_memory(r);
	else
		ret = parse_events(&b, parser, diag);
	fy_parser_destroy(parser);
	fy_diag_destroy(diag);
	if (!ret && (!b.root || b.root->kind == SCN_NODE_NULL))
		ret = scn_fail_at(r, 1, 1,
				  "found no content; expected a mapping with title, td and run");
	*root = b.root;
	return ret;
}

void scn_tree_free(struct scn_reader *r)
{
	while (r->nodes) {
		struct scn_node *n = r->nodes;

		r->nodes = n->all;
		free(n);
	}
}
