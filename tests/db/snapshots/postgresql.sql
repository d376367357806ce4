-- all
SELECT post.id, post.title, post.slug, post.body, post.published, post.stars, post.secret, post.author_id, post.created_at, post.editor_id FROM post

-- filter
SELECT post.id, post.title, post.slug, post.body, post.published, post.stars, post.secret, post.author_id, post.created_at, post.editor_id FROM post WHERE post.published AND (post.stars > $1::INTEGER OR post.editor_id IS NULL)

-- text
SELECT post.id, post.title, post.slug, post.body, post.published, post.stars, post.secret, post.author_id, post.created_at, post.editor_id FROM post WHERE (post.title ILIKE '%' || $1::VARCHAR || '%' ESCAPE '/')

-- related
SELECT post.id, post.title, post.slug, post.body, post.published, post.stars, post.secret, post.author_id, post.created_at, post.editor_id FROM post WHERE (EXISTS (SELECT 1 FROM "user" WHERE "user".id = post.author_id AND "user".display_name = $1::VARCHAR)) AND (EXISTS (SELECT 1 FROM tag, post_tags WHERE post_tags.post_id = post.id AND post_tags.tag_id = tag.id AND tag.name = $2::VARCHAR))

-- page
SELECT post.id, post.title, post.slug, post.body, post.published, post.stars, post.secret, post.author_id, post.created_at, post.editor_id FROM post ORDER BY post.created_at DESC, post.id ASC LIMIT $1::INTEGER OFFSET $2::INTEGER

-- exclude
SELECT post.id, post.title, post.slug, post.body, post.published, post.stars, post.secret, post.author_id, post.created_at, post.editor_id FROM post WHERE CASE WHEN (post.stars = $1::INTEGER) THEN $2::INTEGER ELSE $3::INTEGER END = $4::INTEGER

-- annotate
SELECT "user".id, "user".display_name, (SELECT count(*) AS count_1 FROM post AS post_1 WHERE "user".id = post_1.author_id AND post_1.published) AS posts_count FROM "user"

-- window
SELECT post.id, post.title, post.slug, post.body, post.published, post.stars, post.secret, post.author_id, post.created_at, post.editor_id FROM post JOIN (SELECT post.id AS id, rank() OVER (PARTITION BY post.author_id ORDER BY post.stars DESC) AS place FROM post) AS anon_1 ON anon_1.id = post.id WHERE anon_1.place = $1::INTEGER

-- union
SELECT post.id, post.title, post.slug, post.body, post.published, post.stars, post.secret, post.author_id, post.created_at, post.editor_id FROM post WHERE post.id IN (SELECT anon_1.id FROM (SELECT post.id AS id FROM post WHERE post.stars = $1::INTEGER UNION SELECT post.id AS id FROM post WHERE post.stars = $2::INTEGER) AS anon_1)

-- lock
SELECT post.id, post.title, post.slug, post.body, post.published, post.stars, post.secret, post.author_id, post.created_at, post.editor_id FROM post WHERE post.id = $1::BIGINT FOR UPDATE SKIP LOCKED

-- group
SELECT post.author_id, count(*) AS count_1 FROM post GROUP BY post.author_id HAVING count(*) > $1::INTEGER

-- load
SELECT post.id, post.title, post.slug, post.body, post.published, post.stars, post.secret, post.author_id, post.created_at, post.editor_id, user_1.id AS id_1, user_1.display_name FROM post LEFT OUTER JOIN "user" AS user_1 ON user_1.id = post.author_id

-- insert
INSERT INTO tag (name) VALUES ($1::VARCHAR) RETURNING tag.id

-- update
UPDATE post SET stars=(post.stars + $1::INTEGER) WHERE post.id = $2::BIGINT

-- json
SELECT everything.id FROM everything WHERE CAST((everything.anything ->> $1::TEXT) AS INTEGER) > $2::INTEGER

-- table user
CREATE TABLE "user" (
    id BIGSERIAL NOT NULL,
    display_name VARCHAR(60) NOT NULL,
    CONSTRAINT pk_user PRIMARY KEY (id)
)

-- table tag
CREATE TABLE tag (
    id BIGSERIAL NOT NULL,
    name VARCHAR(40) NOT NULL,
    CONSTRAINT pk_tag PRIMARY KEY (id),
    CONSTRAINT uq_tag_name UNIQUE (name)
)

-- table post
CREATE TABLE post (
    id BIGSERIAL NOT NULL,
    title VARCHAR(200) NOT NULL,
    slug VARCHAR(200) NOT NULL,
    body TEXT NOT NULL,
    published BOOLEAN NOT NULL,
    stars INTEGER NOT NULL,
    secret VARCHAR(40),
    author_id BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    editor_id BIGINT,
    CONSTRAINT pk_post PRIMARY KEY (id),
    CONSTRAINT uq_post_slug UNIQUE (slug),
    CONSTRAINT fk_post_author_id FOREIGN KEY(author_id) REFERENCES "user" (id) ON DELETE RESTRICT,
    CONSTRAINT fk_post_editor_id FOREIGN KEY(editor_id) REFERENCES "user" (id) ON DELETE SET NULL
)

CREATE INDEX ix_post_author_id ON post (author_id)

CREATE INDEX ix_post_editor_id ON post (editor_id)

-- table comment
CREATE TABLE comment (
    id BIGSERIAL NOT NULL,
    text VARCHAR(500) NOT NULL,
    post_id BIGINT NOT NULL,
    parent_id BIGINT,
    CONSTRAINT pk_comment PRIMARY KEY (id),
    CONSTRAINT fk_comment_post_id FOREIGN KEY(post_id) REFERENCES post (id) ON DELETE CASCADE,
    CONSTRAINT fk_comment_parent_id FOREIGN KEY(parent_id) REFERENCES comment (id) ON DELETE CASCADE
)

CREATE INDEX ix_comment_parent_id ON comment (parent_id)

CREATE INDEX ix_comment_post_id ON comment (post_id)

-- table everything
CREATE TABLE everything (
    id BIGSERIAL NOT NULL,
    text TEXT NOT NULL,
    short VARCHAR(10) NOT NULL,
    free VARCHAR NOT NULL,
    whole INTEGER NOT NULL,
    large BIGINT NOT NULL,
    real DOUBLE PRECISION NOT NULL,
    yes BOOLEAN NOT NULL,
    money NUMERIC(12, 2) NOT NULL,
    moment TIMESTAMP WITH TIME ZONE NOT NULL,
    day DATE NOT NULL,
    clock TIME WITHOUT TIME ZONE NOT NULL,
    span INTERVAL NOT NULL,
    key UUID NOT NULL,
    raw BYTEA NOT NULL,
    colour VARCHAR(20) NOT NULL,
    level BIGINT NOT NULL,
    address JSONB NOT NULL,
    addresses JSONB NOT NULL,
    anything JSONB NOT NULL,
    nothing JSONB,
    CONSTRAINT pk_everything PRIMARY KEY (id),
    CONSTRAINT ck_everything_colour CHECK (colour IN ('red', 'green'))
)
