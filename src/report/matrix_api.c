// SPDX-License-Identifier: MIT
/* seamlab matrix: which leaves are meant, and the forms that are lists. Layer: report. */
#include "report/matrix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"

enum matrix_known matrix_known(const struct matrix *m, u32 leaf)
{
	const struct leaf_ref *l = &m->leaf[leaf];

	if (leaf_plan(m->release, l))
		return MATRIX_LOCKS;
	return lock_free(l->guest, l->number) ? MATRIX_LOCK_FREE : MATRIX_UNKNOWN;
}

bool matrix_shown(const struct matrix *m, u32 leaf)
{
	enum matrix_known known = matrix_known(m, leaf);

	return known == MATRIX_LOCKS || (known == MATRIX_LOCK_FREE && m->leaf[leaf].guest);
}

bool matrix_wanted(const struct matrix *m, u32 a, u32 b)
{
	if (!matrix_shown(m, a) || !matrix_shown(m, b))
		return false;
	if (m->only[0] < 0)
		return a <= b;
	return (int)a == m->only[0] && (m->only[1] < 0 || (int)b == m->only[1]);
}

u32 matrix_meetings(struct matrix *m, u32 a, u32 b)
{
	return leaf_meetings(m->release, &m->leaf[a], &m->leaf[b], m->scratch);
}

const char *matrix_leaf_name(const struct leaf_ref *leaf, char text[64])
{
	if (!leaf->version)
		return leaf->name;
	snprintf(text, 64, "%s/%u", leaf->name, leaf->version);
	return text;
}

void matrix_print_status(FILE *f, const struct matrix *m, const struct lock_step *s)
{
	struct status_view v;
	struct hex64 h;

	status_look_up(m->release, s->busy, &v);
	fprintf(f, "%s %s", hex64(&h, s->busy), v.name);
	if (v.operand && s->operand)
		fprintf(f, "|%s", v.operand);
}

/* ---- lists ----------------------------------------------------------------------------------- */

static void csv_side(FILE *f, const struct leaf_ref *leaf)
{
	fprintf(f, "%s,%s,%u,", leaf->name, leaf->guest ? "TDCALL" : "SEAMCALL", leaf->version);
}

static void csv_when(FILE *f, const struct leaf_ref *leaf, const struct lock_step *s)
{
	const char *note = s ? leaf_lock_note(leaf, (enum lock_object)s->object) : NULL;

	/* Notes hold no quotation mark. */
	fprintf(f, ",\"%s\"", s ? (note ? note : "") : "held since TDH.VP.ENTER");
}

void matrix_csv(FILE *f, struct matrix *m)
{
	struct hex64 h;

	fputs("a,a_call,a_version,b,b_call,b_version,lock,scope,a_mode,b_mode,a_second,b_second,"
	      "a_when,b_when\n",
	      f);
	for (u32 a = 0; a < m->count; a++)
		for (u32 b = 0; b < m->count; b++) {
			u32 n = matrix_wanted(m, a, b) ? matrix_meetings(m, a, b) : 0;

			for (u32 i = 0; i < n; i++) {
				const struct meeting *x = &m->scratch[i];
				const struct lock_object_info *o =
					lock_object_info((enum lock_object)x->object);

				csv_side(f, &m->leaf[a]);
				csv_side(f, &m->leaf[b]);
				fprintf(f, "%s,\"%s\",%s,%s,", o->name,
					lock_scope_text((enum lock_scope)o->scope),
					x->a ? lock_mode_name((enum lock_mode)x->a->mode) : "SH",
					x->b ? lock_mode_name((enum lock_mode)x->b->mode) : "SH");
				fprintf(f, "%s,", x->a ? hex64(&h, x->a->busy) : "");
				fprintf(f, "%s", x->b ? hex64(&h, x->b->busy) : "");
				csv_when(f, &m->leaf[a], x->a);
				csv_when(f, &m->leaf[b], x->b);
				fputc('\n', f);
			}
		}
}

static json_t *json_side(const struct leaf_ref *leaf, const struct lock_step *s)
{
	const char *note =
		s ? leaf_lock_note(leaf, (enum lock_object)s->object) : "held since TDH.VP.ENTER";

	return json_pack("{s:s, s:o, s:o}", "mode",
			 s ? lock_mode_name((enum lock_mode)s->mode) : "SH", "second",
			 s ? json_hex64(s->busy) : json_null(), "when",
			 note ? json_string(note) : json_null());
}

static json_t *json_leaf(const struct leaf_ref *leaf)
{
	return json_pack("{s:s, s:s, s:i, s:i}", "name", leaf->name, "call",
			 leaf->guest ? "TDCALL" : "SEAMCALL", "number", (int)leaf->number,
			 "version", (int)leaf->version);
}

static json_t *json_pair(struct matrix *m, u32 a, u32 b)
{
	json_t *list = json_array(), *apart = json_array();
	u32 n = matrix_meetings(m, a, b);

	for (u32 i = 0; i < n; i++) {
		const struct meeting *x = &m->scratch[i];
		const struct lock_object_info *o = lock_object_info((enum lock_object)x->object);

		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:o, s:o}", "lock", o->name, "scope",
						lock_scope_text((enum lock_scope)o->scope), "a",
						json_side(&m->leaf[a], x->a), "b",
						json_side(&m->leaf[b], x->b)));
	}
	n = leaf_non_meetings(m->release, &m->leaf[a], &m->leaf[b], m->scratch);
	for (u32 i = 0; i < n; i++)
		json_array_append_new(
			apart,
			json_pack("{s:s, s:s}", "lock",
				  lock_object_info((enum lock_object)m->scratch[i].object)->name,
				  "why", m->scratch[i].never));
	return json_pack("{s:o, s:o, s:o, s:o}", "a", json_leaf(&m->leaf[a]), "b",
			 json_leaf(&m->leaf[b]), "meetings", list, "cannot_meet", apart);
}

char *matrix_json(struct matrix *m)
{
	static const char *const known[] = { "locks", "none", "not described" };
	json_t *leaves = json_array(), *pairs = json_array(), *o;
	char *text;

	for (u32 i = 0; i < m->count; i++) {
		json_t *leaf = json_leaf(&m->leaf[i]);

		json_object_set_new(leaf, "locks", json_string(known[matrix_known(m, i)]));
		json_array_append_new(leaves, leaf);
	}
	for (u32 a = 0; a < m->count; a++)
		for (u32 b = 0; b < m->count; b++)
			if (matrix_wanted(m, a, b) && matrix_meetings(m, a, b))
				json_array_append_new(pairs, json_pair(m, a, b));
	o = json_pack("{s:s, s:o, s:o}", "release", sl_release_name(m->release), "leaves", leaves,
		      "pairs", pairs);
	text = o ? json_dumps(o, JSON_INDENT(1)) : NULL;
	json_decref(o);
	return text;
}

/* ---- which leaves ---------------------------------------------------------------------------- */

static void fill(struct matrix *m)
{
	const struct leaf_ref *leaf;
	struct leaf_ref v1;

	leaf_each (m->release, leaf) {
		SL_BUG_ON(m->count + 2 > MATRIX_LEAVES_MAX);
		m->leaf[m->count++] = *leaf;
		if (leaf_version_1(m->release, leaf, &v1))
			m->leaf[m->count++] = v1;
	}
}

/* "NAME" or "NAME/1": the index of that leaf. */
static int find_leaf(const struct matrix *m, const char *name, int *index, char *err,
		     size_t err_size)
{
	size_t size = strcspn(name, "/");
	const struct leaf_ref *leaf[2];
	bool version_1 = !strcmp(name + size, "/1");
	u32 n = leaf_by_name(m->release, name, size, leaf);

	/* Of two that differ in TDH and TDG only, the SEAMCALL. */
	for (u32 i = 0; n && i < m->count; i++)
		if (m->leaf[i].ident == leaf[0]->ident &&
		    (version_1 ? m->leaf[i].version == 1 : !name[size] && !m->leaf[i].version)) {
			*index = (int)i;
			return 0;
		}
	if (n)
		snprintf(err, err_size,
			 "found '%.60s'; expected %s, which has one version of locks here", name,
			 leaf[0]->name);
	else
		leaf_not_found(m->release, name, err, err_size);
	return -EINVAL;
}

static int check_known(const struct matrix *m, int leaf, char *err, size_t err_size)
{
	if (leaf < 0 || matrix_known(m, (u32)leaf) != MATRIX_UNKNOWN)
		return 0;
	snprintf(err, err_size, "the locks of %s are not described", m->leaf[leaf].name);
	return -EINVAL;
}

int matrix_open(struct matrix *m, enum sl_release r, const char *const leaf[2], char *err,
		size_t err_size)
{
	int ret = 0;

	m->release = r;
	m->only[0] = m->only[1] = -1;
	fill(m);
	for (u32 i = 0; i < 2 && !ret && leaf[i]; i++) {
		ret = find_leaf(m, leaf[i], &m->only[i], err, err_size);
		if (!ret)
			ret = check_known(m, m->only[i], err, err_size);
	}
	return ret;
}

static int print(struct matrix *m, enum sl_matrix_format format, char **report)
{
	char *text = NULL;
	size_t size;
	FILE *f;

	if (format == SL_MATRIX_JSON) {
		*report = matrix_json(m);
		return *report ? 0 : -ENOMEM;
	}
	f = open_memstream(&text, &size);
	if (!f)
		return -ENOMEM;
	if (format == SL_MATRIX_CSV)
		matrix_csv(f, m);
	else if (format == SL_MATRIX_HTML)
		matrix_html(f, m);
	else
		matrix_text(f, m);
	*report = text_finish(f, &text);
	return *report ? 0 : -ENOMEM;
}

int sl_matrix(const struct sl_matrix_options *o, char **report, char *err, size_t err_size)
{
	struct matrix *m = calloc(1, sizeof(*m));
	int ret = m ? 0 : -ENOMEM;

	*report = NULL;
	if (m)
		ret = matrix_open(m, o->release, o->leaf, err, err_size);
	if (!ret)
		ret = print(m, o->format, report);
	if (ret == -ENOMEM)
		snprintf(err, err_size, "out of memory");
	free(m);
	return ret;
}
