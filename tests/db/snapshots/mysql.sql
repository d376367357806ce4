-- all
SELECT post.id, post.title, post.slug, post.body, post.published, post.stars, post.secret, post.author_id, post.created_at, post.editor_id FROM post

-- filter
SELECT post.id, post.title, post.slug, post.body, post.published, post.stars, post.secret, post.author_id, post.created_at, post.editor_id FROM post WHERE post.published = 1 AND (post.stars > %s OR post.editor_id IS NULL)

-- text
SELECT post.id, post.title, post.slug, post.body, post.published, post.stars, post.secret, post.author_id, post.created_at, post.editor_id FROM post WHERE (lower(post.title) LIKE concat('%%', lower(%s), '%%') ESCAPE '/')

-- related
SELECT post.id, post.title, post.slug, post.body, post.published, post.stars, post.secret, post.author_id, post.created_at, post.editor_id FROM post WHERE (EXISTS (SELECT 1 FROM user WHERE user.id = post.author_id AND user.display_name = %s)) AND (EXISTS (SELECT 1 FROM tag, post_tags WHERE post_tags.post_id = post.id AND post_tags.tag_id = tag.id AND tag.name = %s))

-- page
SELECT post.id, post.title, post.slug, post.body, post.published, post.stars, post.secret, post.author_id, post.created_at, post.editor_id FROM post ORDER BY post.created_at DESC, post.id ASC LIMIT %s, %s

-- exclude
SELECT post.id, post.title, post.slug, post.body, post.published, post.stars, post.secret, post.author_id, post.created_at, post.editor_id FROM post WHERE CASE WHEN (post.stars = %s) THEN %s ELSE %s END = %s

-- annotate
SELECT user.id, user.display_name, (SELECT count(*) AS count_1 FROM post AS post_1 WHERE user.id = post_1.author_id AND post_1.published = 1) AS posts_count FROM user

-- window
SELECT post.id, post.title, post.slug, post.body, post.published, post.stars, post.secret, post.author_id, post.created_at, post.editor_id FROM post INNER JOIN (SELECT post.id AS id, rank() OVER (PARTITION BY post.author_id ORDER BY post.stars DESC) AS place FROM post) AS anon_1 ON anon_1.id = post.id WHERE anon_1.place = %s

-- union
SELECT post.id, post.title, post.slug, post.body, post.published, post.stars, post.secret, post.author_id, post.created_at, post.editor_id FROM post WHERE post.id IN (SELECT anon_1.id FROM (SELECT post.id AS id FROM post WHERE post.stars = %s UNION SELECT post.id AS id FROM post WHERE post.stars = %s) AS anon_1)

-- lock
SELECT post.id, post.title, post.slug, post.body, post.published, post.stars, post.secret, post.author_id, post.created_at, post.editor_id FROM post WHERE post.id = %s FOR UPDATE SKIP LOCKED

-- group
SELECT post.author_id, count(*) AS count_1 FROM post GROUP BY post.author_id HAVING count(*) > %s

-- load
SELECT post.id, post.title, post.slug, post.body, post.published, post.stars, post.secret, post.author_id, post.created_at, post.editor_id, user_1.id AS id_1, user_1.display_name FROM post LEFT OUTER JOIN user AS user_1 ON user_1.id = post.author_id

-- insert
INSERT INTO tag (name) VALUES (%s)

-- update
UPDATE post SET stars=(post.stars + %s) WHERE post.id = %s

-- json
SELECT everything.id FROM everything WHERE CASE JSON_EXTRACT(everything.anything, %s) WHEN 'null' THEN NULL ELSE CAST(JSON_EXTRACT(everything.anything, %s) AS SIGNED INTEGER) END > %s

-- table user
CREATE TABLE user (
    id BIGINT NOT NULL AUTO_INCREMENT,
    display_name VARCHAR(60) NOT NULL,
    PRIMARY KEY (id)
)

-- table tag
CREATE TABLE tag (
    id BIGINT NOT NULL AUTO_INCREMENT,
    name VARCHAR(40) NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT uq_tag_name UNIQUE (name)
)

-- table post
CREATE TABLE post (
    id BIGINT NOT NULL AUTO_INCREMENT,
    title VARCHAR(200) NOT NULL,
    slug VARCHAR(200) NOT NULL,
    body LONGTEXT NOT NULL,
    published BOOL NOT NULL,
    stars INTEGER NOT NULL,
    secret VARCHAR(40),
    author_id BIGINT NOT NULL,
    created_at DATETIME(6) NOT NULL,
    editor_id BIGINT,
    PRIMARY KEY (id),
    CONSTRAINT uq_post_slug UNIQUE (slug),
    CONSTRAINT fk_post_author_id FOREIGN KEY(author_id) REFERENCES user (id) ON DELETE RESTRICT,
    CONSTRAINT fk_post_editor_id FOREIGN KEY(editor_id) REFERENCES user (id) ON DELETE SET NULL
)

CREATE INDEX ix_post_author_id ON post (author_id)

CREATE INDEX ix_post_editor_id ON post (editor_id)

-- table comment
CREATE TABLE comment (
    id BIGINT NOT NULL AUTO_INCREMENT,
    text VARCHAR(500) NOT NULL,
    post_id BIGINT NOT NULL,
    parent_id BIGINT,
    PRIMARY KEY (id),
    CONSTRAINT fk_comment_post_id FOREIGN KEY(post_id) REFERENCES post (id) ON DELETE CASCADE,
    CONSTRAINT fk_comment_parent_id FOREIGN KEY(parent_id) REFERENCES comment (id) ON DELETE CASCADE
)

CREATE INDEX ix_comment_parent_id ON comment (parent_id)

CREATE INDEX ix_comment_post_id ON comment (post_id)

-- table everything
CREATE TABLE everything (
    id BIGINT NOT NULL AUTO_INCREMENT,
    text LONGTEXT NOT NULL,
    short VARCHAR(10) NOT NULL,
    free VARCHAR(255) NOT NULL,
    whole INTEGER NOT NULL,
    large BIGINT NOT NULL,
    `real` DOUBLE NOT NULL,
    yes BOOL NOT NULL,
    money NUMERIC(12, 2) NOT NULL,
    moment DATETIME(6) NOT NULL,
    day DATE NOT NULL,
    clock TIME(6) NOT NULL,
    span BIGINT NOT NULL,
    `key` CHAR(32) NOT NULL,
    raw LONGBLOB NOT NULL,
    colour VARCHAR(20) NOT NULL,
    level BIGINT NOT NULL,
    address JSON NOT NULL,
    addresses JSON NOT NULL,
    anything JSON NOT NULL,
    nothing JSON,
    PRIMARY KEY (id),
    CONSTRAINT ck_everything_colour CHECK (colour IN ('red', 'green'))
)
