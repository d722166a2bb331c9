// SPDX-License-Identifier: MIT
/*
 * seamlab matrix as one HTML file: a grid; a click on a cell shows the pair. No script, nothing fetched.
 * Layer: report.
 */
#include "report/matrix.h"

static const char style[] =
	"body{font:14px/1.4 system-ui,sans-serif;margin:1.5em;color:#222;background:#fff}\n"
	"table{border-collapse:collapse}\n"
	".grid td,.grid th{padding:0;font-weight:normal}\n"
	".grid thead th{height:13em;vertical-align:bottom}\n"
	".grid thead span{display:block;writing-mode:vertical-rl;transform:rotate(180deg);"
	"white-space:nowrap}\n"
	".grid tbody th{text-align:right;padding-right:.6em;white-space:nowrap}\n"
	".grid td{width:1.5em;text-align:center;border:1px solid #ddd}\n"
	".grid td a{display:block;text-decoration:none;color:#000}\n"
	".wide{background:#f4b183}.td{background:#ffe08a}.own{background:#cfe8cf}\n"
	"section{display:none;position:fixed;right:1.5em;bottom:1.5em;max-width:46em;padding:1em;"
	"background:#fff;border:2px solid #444;box-shadow:0 2px 12px #999;max-height:60vh;"
	"overflow:auto}\n"
	"section:target{display:block}\n"
	"section h2{font-size:1em;margin:0 0 .5em}section td,section th{padding:.1em .7em .1em 0;"
	"text-align:left;vertical-align:top}\n"
	"code{font-size:.95em}\n";

static const char *color(enum lock_object object)
{
	switch ((enum lock_scope)lock_object_info(object)->scope) {
	case SCOPE_MODULE:
	case SCOPE_PACKAGE:
	case SCOPE_TDMR:
		return "wide";
	case SCOPE_TD:
		return "td";
	default:
		return "own";
	}
}

static void print_head(FILE *f, const struct matrix *m)
{
	char name[64];

	fprintf(f,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<title>TDX module %s: which leaves get into each other's way</title>\n"
		"<style>\n%s</style>\n</head>\n<body>\n"
		"<h1>TDX module %s: which leaves get into each other's way</h1>\n"
		"<p>The letter is the widest lock on which two calls meet; the second one is "
		"refused. A click shows every lock and both statuses.</p>\n",
		sl_release_name(m->release), style, sl_release_name(m->release));
	fputs("<table class=\"grid\">\n<thead><tr><th></th>", f);
	for (u32 i = 0; i < m->count; i++)
		if (matrix_shown(m, i))
			fprintf(f, "<th><span>%s</span></th>", matrix_leaf_name(&m->leaf[i], name));
	fputs("</tr></thead>\n<tbody>\n", f);
}

static void print_cell(FILE *f, struct matrix *m, u32 a, u32 b)
{
	u32 n = matrix_meetings(m, a, b);
	enum lock_object object = (enum lock_object)m->scratch[0].object;

	if (!n) {
		fputs("<td></td>", f);
		return;
	}
	fprintf(f, "<td class=\"%s\"><a href=\"#p%u-%u\" title=\"%s\">%c</a></td>", color(object),
		a < b ? a : b, a < b ? b : a, lock_object_info(object)->name,
		lock_object_info(object)->letter);
}

static void print_side(FILE *f, const struct matrix *m, const struct leaf_ref *leaf,
		       const struct lock_step *s)
{
	const char *note = s ? leaf_lock_note(leaf, (enum lock_object)s->object) : NULL;
	char name[64];

	fprintf(f, "<tr><td>%s</td><td>%s</td><td>", matrix_leaf_name(leaf, name),
		s && s->mode == LOCK_EX ? "exclusive" : "shared");
	if (s) {
		fputs("second: <code>", f);
		matrix_print_status(f, m, s);
		fputs("</code>", f);
	} else {
		fputs("held since TDH.VP.ENTER", f);
	}
	fprintf(f, "%s%s</td></tr>\n", note ? "; " : "", note ? note : "");
}

static void print_pair(FILE *f, struct matrix *m, u32 a, u32 b)
{
	u32 n = matrix_meetings(m, a, b);
	char name[2][64];

	if (!n)
		return;
	fprintf(f, "<section id=\"p%u-%u\"><h2>%s and %s</h2>\n<table>\n", a, b,
		matrix_leaf_name(&m->leaf[a], name[0]), matrix_leaf_name(&m->leaf[b], name[1]));
	for (u32 i = 0; i < n; i++) {
		const struct meeting *x = &m->scratch[i];
		const struct lock_object_info *o = lock_object_info((enum lock_object)x->object);

		fprintf(f, "<tr><th colspan=\"3\">%s: %s; between %s</th></tr>\n", o->name, o->text,
			lock_scope_text((enum lock_scope)o->scope));
		print_side(f, m, &m->leaf[a], x->a);
		print_side(f, m, &m->leaf[b], x->b);
	}
	fputs("</table>\n<p><a href=\"#\">close</a></p></section>\n", f);
}

/* No text of the tables holds a character that HTML would take for its own. */
void matrix_html(FILE *f, struct matrix *m)
{
	bool row[MATRIX_LEAVES_MAX], column[MATRIX_LEAVES_MAX];
	char name[64];

	for (u32 i = 0; i < m->count; i++) {
		column[i] = matrix_shown(m, i);
		row[i] = column[i] && (m->only[0] < 0 || (int)i == m->only[0]);
		if (m->only[1] >= 0)
			column[i] = (int)i == m->only[1];
	}
	print_head(f, m);
	for (u32 a = 0; a < m->count; a++) {
		if (!row[a])
			continue;
		fprintf(f, "<tr><th>%s</th>", matrix_leaf_name(&m->leaf[a], name));
		for (u32 b = 0; b < m->count; b++)
			if (column[b])
				print_cell(f, m, a, b);
			else if (matrix_shown(m, b))
				fputs("<td></td>", f);
		fputs("</tr>\n", f);
	}
	fputs("</tbody>\n</table>\n<ul>\n", f);
	for (u32 o = LOCK_END + 1; o < LOCK_OBJECTS; o++) {
		const struct lock_object_info *info = lock_object_info((enum lock_object)o);

		fprintf(f, "<li><code>%c</code> %s: %s; between %s</li>\n", info->letter,
			info->name, info->text, lock_scope_text((enum lock_scope)info->scope));
	}
	fputs("</ul>\n", f);
	for (u32 a = 0; a < m->count; a++)
		for (u32 b = a; b < m->count; b++)
			if ((row[a] && column[b]) || (row[b] && column[a]))
				print_pair(f, m, a, b);
	fputs("</body>\n</html>\n", f);
}
