// SPDX-License-Identifier: MIT
/* seamlab matrix as text: a grid of all leaves, one leaf, or one pair. Layer: report. */
#include <stdlib.h>
#include <string.h>

#include "report/matrix.h"

#define NAME_WIDTH 20

static const char *mode_word(const struct lock_step *s)
{
	return s && s->mode == LOCK_EX ? "exclusive" : "shared";
}

/* ---- the grid -------------------------------------------------------------------------------- */

/* SEAMCALLs go without their prefix; TDCALLs that take no lock share a row. */
static const char *short_name(const struct matrix *m, u32 leaf, char text[64])
{
	const char *name = matrix_leaf_name(&m->leaf[leaf], text);

	if (matrix_known(m, leaf) == MATRIX_LOCK_FREE)
		return "other TDCALLs";
	return m->leaf[leaf].guest ? name : name + strlen("TDH.");
}

static u32 grid_leaves(const struct matrix *m, u32 shown[MATRIX_LEAVES_MAX])
{
	bool other = false;
	u32 n = 0;

	for (u32 i = 0; i < m->count; i++) {
		bool is_other = matrix_known(m, i) == MATRIX_LOCK_FREE;

		if (!matrix_shown(m, i))
			continue;
		if (!is_other || !other)
			shown[n++] = i;
		other |= is_other;
	}
	return n;
}

static void print_grid(FILE *f, struct matrix *m)
{
	u32 shown[MATRIX_LEAVES_MAX], n = grid_leaves(m, shown);
	char text[64];

	for (u32 digit = 10; digit; digit /= 10) {
		fprintf(f, "%*s", NAME_WIDTH + 4, "");
		for (u32 i = 0; i < n; i++) {
			u32 number = i + 1;

			fputc(digit == 10 && number < 10 ? ' ' : (char)('0' + number / digit % 10),
			      f);
		}
		fputc('\n', f);
	}
	for (u32 i = 0; i < n; i++) {
		fprintf(f, "%2u %-*s ", i + 1, NAME_WIDTH, short_name(m, shown[i], text));
		for (u32 k = 0; k < n; k++) {
			u32 count = matrix_meetings(m, shown[i], shown[k]);
			u32 widest = m->scratch[0].object;

			fputc(count ? lock_object_info((enum lock_object)widest)->letter : '.', f);
		}
		fputc('\n', f);
	}
}

static void print_legend(FILE *f, struct matrix *m)
{
	bool used[LOCK_OBJECTS] = { false };

	for (u32 a = 0; a < m->count; a++)
		for (u32 b = 0; b < m->count; b++)
			if (matrix_wanted(m, a, b) && matrix_meetings(m, a, b))
				used[m->scratch[0].object] = true;
	fputs("\nThe widest lock on which two calls meet; the second one is refused:\n", f);
	for (u32 o = LOCK_END + 1; o < LOCK_OBJECTS; o++) {
		const struct lock_object_info *info = lock_object_info((enum lock_object)o);
		char label[16];

		snprintf(label, sizeof(label), "%c %s", info->letter, info->name);
		if (used[o])
			text_fieldf(f, 2, label, "%s; between %s", info->text,
				    lock_scope_text((enum lock_scope)info->scope));
	}
}

/* Leaves of which the same is known; @guest: TDCALLs. */
static void print_rest(FILE *out, const struct matrix *m, enum matrix_known known, bool guest,
		       const char *label)
{
	const char *between = "";
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return;
	for (u32 i = 0; i < m->count; i++)
		if (matrix_known(m, i) == known && m->leaf[i].guest == guest) {
			fprintf(f, "%s%s", between, m->leaf[i].name);
			between = ", ";
		}
	if (text_finish(f, &text) && *text)
		text_field(out, 2, label, text);
	free(text);
}

static void print_all(FILE *f, struct matrix *m)
{
	fprintf(f,
		"Leaves of release %s that get into each other's way, from the lock plans.\n"
		"'seamlab matrix LEAF' shows all locks of one leaf, 'seamlab matrix LEAF LEAF' a "
		"pair.\n\n",
		sl_release_name(m->release));
	print_grid(f, m);
	print_legend(f, m);
	fputc('\n', f);
	print_rest(f, m, MATRIX_LOCK_FREE, true, "other TDCALLs");
	print_rest(f, m, MATRIX_LOCK_FREE, false, "no locks");
	print_rest(f, m, MATRIX_UNKNOWN, false, "not described");
	print_rest(f, m, MATRIX_UNKNOWN, true, "");
}

/* ---- one leaf -------------------------------------------------------------------------------- */

/* Does leaf @b meet step @s of leaf @a on @object, in @mode and with this refusal of its own? */
static bool meets_so(struct matrix *m, u32 a, u32 b, u32 object, const struct lock_step *s,
		     const struct lock_step *like)
{
	u32 n = matrix_shown(m, b) ? matrix_meetings(m, a, b) : 0;

	for (u32 i = 0; i < n; i++) {
		const struct meeting *x = &m->scratch[i];

		if (x->object == object && x->a == s &&
		    (like && x->b ? x->b->busy == like->busy && x->b->mode == like->mode
				  : x->b == like))
			return true;
	}
	return false;
}

/* The leaves that meet step @s as @like does, in one field; each group once. */
static void print_group(FILE *out, struct matrix *m, u32 a, u32 object, const struct lock_step *s,
			const struct lock_step *like)
{
	const char *between = ": ";
	char name[64], *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return;
	fputs(like ? mode_word(like) : "shared since TDH.VP.ENTER", f);
	if (like) {
		fputs(", second: ", f);
		matrix_print_status(f, m, like);
	}
	for (u32 b = 0; b < m->count; b++)
		if (meets_so(m, a, b, object, s, like)) {
			fprintf(f, "%s%s", between, matrix_leaf_name(&m->leaf[b], name));
			between = ", ";
		}
	if (text_finish(f, &text))
		text_field(out, 4, "against", text);
	free(text);
}

#define GROUPS_MAX 64

static void print_lock(FILE *f, struct matrix *m, u32 a, u32 object, const struct lock_step *s)
{
	const struct lock_step *seen[GROUPS_MAX];
	const struct lock_object_info *info = lock_object_info((enum lock_object)object);
	bool kept = false;
	u32 groups = 0;

	for (u32 b = 0; b < m->count; b++) {
		u32 n = matrix_shown(m, b) ? matrix_meetings(m, a, b) : 0;

		for (u32 i = 0; i < n; i++) {
			const struct meeting *x = &m->scratch[i];
			bool known = false;

			if (x->object != object || x->a != s)
				continue;
			kept |= !x->b;
			for (u32 k = 0; k < groups; k++)
				known |= x->b && seen[k]->busy == x->b->busy &&
					 seen[k]->mode == x->b->mode;
			if (x->b && !known && groups < GROUPS_MAX)
				seen[groups++] = x->b;
		}
	}
	if (!groups && !kept)
		return;
	text_fieldf(f, 2, info->name, "%s; between %s", info->text,
		    lock_scope_text((enum lock_scope)info->scope));
	if (s) {
		const char *note = leaf_lock_note(&m->leaf[a], (enum lock_object)s->object);

		fprintf(f, "    %-14s%s, second: ", "this leaf", mode_word(s));
		matrix_print_status(f, m, s);
		fprintf(f, "%s%s%s\n", note ? " (" : "", note ? note : "", note ? ")" : "");
	} else {
		fprintf(f, "    %-14sshared since TDH.VP.ENTER\n", "this leaf");
	}
	for (u32 k = 0; k < groups; k++)
		print_group(f, m, a, object, s, seen[k]);
	if (kept)
		print_group(f, m, a, object, s, NULL);
}

/* Large pages: everybody who walks to a page of the range may be in the way. */
static void print_range(FILE *out, struct matrix *m, u32 a)
{
	const struct lock_object_info *info = lock_object_info(LOCK_LARGE_PAGE);
	const char *between = "";
	char name[64], *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return;
	for (u32 b = 0; b < m->count; b++) {
		u32 n = matrix_shown(m, b) ? matrix_meetings(m, a, b) : 0;

		if (!n || m->scratch[n - 1].object != LOCK_LARGE_PAGE)
			continue;
		fprintf(f, "%s%s", between, matrix_leaf_name(&m->leaf[b], name));
		between = ", ";
	}
	if (text_finish(f, &text) && *text) {
		text_fieldf(out, 2, info->name,
			    "%s, while one of the two works on all of it and the other on a page "
			    "inside; second: BUSY with the operand of its page",
			    info->text);
		text_field(out, 4, "against", text);
	}
	free(text);
}

static void print_leaf(FILE *f, struct matrix *m, u32 a)
{
	const struct lock_step *plan = leaf_plan(m->release, &m->leaf[a]);
	char name[64];

	fprintf(f, "%s in release %s: who gets into its way\n", matrix_leaf_name(&m->leaf[a], name),
		sl_release_name(m->release));
	if (!matrix_shown(m, a))
		fputs("  it takes no lock\n", f);
	for (u32 object = LOCK_END + 1; object < LOCK_LARGE_PAGE; object++) {
		for (const struct lock_step *s = plan; s && s->object != LOCK_END; s++)
			print_lock(f, m, a, object, s);
		print_lock(f, m, a, object, NULL);
	}
	print_range(f, m, a);
}

/* ---- a pair ---------------------------------------------------------------------------------- */

static void print_second(FILE *f, const struct matrix *m, const struct leaf_ref *leaf,
			 const struct lock_step *s)
{
	const char *note = s ? leaf_lock_note(leaf, (enum lock_object)s->object) : NULL;
	char name[64];

	fprintf(f, "    %-26s%-9s  ", matrix_leaf_name(leaf, name), mode_word(s));
	if (s) {
		fputs("second: ", f);
		matrix_print_status(f, m, s);
	} else {
		fputs("held since TDH.VP.ENTER", f);
	}
	fprintf(f, "%s%s%s\n", note ? " (" : "", note ? note : "", note ? ")" : "");
}

/* "ENTRY, RCX and RCX": locks where both plans meet and the leaves do not. */
static void print_apart(FILE *f, struct matrix *m, u32 a, u32 b)
{
	u32 n = matrix_wanted(m, a, b)
			? leaf_non_meetings(m->release, &m->leaf[a], &m->leaf[b], m->scratch)
			: 0;

	for (u32 i = 0; i < n; i++) {
		const struct meeting *x = &m->scratch[i];
		bool known = false;

		for (u32 k = 0; k < i; k++)
			known |= m->scratch[k].object == x->object &&
				 m->scratch[k].never == x->never;
		if (!known)
			text_fieldf(f, 2, lock_object_info((enum lock_object)x->object)->name,
				    "cannot meet here: %s", x->never);
	}
}

static void print_pair(FILE *f, struct matrix *m, u32 a, u32 b)
{
	u32 n = matrix_wanted(m, a, b) ? matrix_meetings(m, a, b) : 0;
	char name[2][64];

	fprintf(f, "%s and %s in release %s\n", matrix_leaf_name(&m->leaf[a], name[0]),
		matrix_leaf_name(&m->leaf[b], name[1]), sl_release_name(m->release));
	if (!n)
		fputs("  they meet on no lock\n", f);
	for (u32 i = 0; i < n; i++) {
		const struct meeting *x = &m->scratch[i];
		const struct lock_object_info *info = lock_object_info((enum lock_object)x->object);

		text_fieldf(f, 2, info->name, "%s; between %s", info->text,
			    lock_scope_text((enum lock_scope)info->scope));
		print_second(f, m, &m->leaf[a], x->a);
		print_second(f, m, &m->leaf[b], x->b);
	}
	print_apart(f, m, a, b);
}

void matrix_text(FILE *f, struct matrix *m)
{
	if (m->only[0] < 0)
		print_all(f, m);
	else if (m->only[1] < 0)
		print_leaf(f, m, (u32)m->only[0]);
	else
		print_pair(f, m, (u32)m->only[0], (u32)m->only[1]);
}
