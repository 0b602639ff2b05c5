-- application: Supabase
-- dialect: postgres
-- contact: ada@example.com|Ada|Lovelace|
-- contact: grace@example.com|Grace|Hopper|
-- init: table auth.users
-- init: key id
-- init: address email
-- init: whole name full_name
-- init: filter u.email IS NOT NULL
-- init: filter u.email_confirmed_at IS NOT NULL
-- init: filter u.deleted_at IS NULL
-- init: filter (u.banned_until IS NULL OR u.banned_until < now())
-- init: filter NOT u.is_anonymous
-- person: ada@example.com|Ada|Lovelace
-- person: grace@example.com|Grace|Hopper
CREATE SCHEMA auth;
CREATE TABLE auth.users (instance_id uuid, id uuid NOT NULL PRIMARY KEY, aud varchar(255), role varchar(255), email varchar(255), encrypted_password varchar(255), email_confirmed_at timestamptz, invited_at timestamptz, last_sign_in_at timestamptz,
  raw_app_meta_data jsonb, raw_user_meta_data jsonb, is_super_admin boolean, created_at timestamptz, updated_at timestamptz, phone text, banned_until timestamptz, is_sso_user boolean NOT NULL DEFAULT false, deleted_at timestamptz, is_anonymous boolean NOT NULL DEFAULT false);
CREATE TABLE auth.identities (provider_id text NOT NULL, user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE, identity_data jsonb NOT NULL, provider text NOT NULL, id uuid NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY);
CREATE TABLE auth.sessions (id uuid NOT NULL PRIMARY KEY, user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE, created_at timestamptz);
CREATE TABLE public.profiles (id uuid NOT NULL PRIMARY KEY REFERENCES auth.users (id) ON DELETE CASCADE, updated_at timestamptz, username text UNIQUE, full_name text, avatar_url text, website text);
INSERT INTO auth.users (id, email, email_confirmed_at, raw_user_meta_data, banned_until, is_anonymous, created_at) VALUES
  ('00000000-0000-4000-8000-000000000001', 'ada@example.com', '2024-01-01', '{"first_name": "Ada", "last_name": "Lovelace"}', NULL, false, '2024-01-01'),
  ('00000000-0000-4000-8000-000000000002', 'grace@example.com', '2024-01-01', '{}', NULL, false, '2024-01-01'),
  ('00000000-0000-4000-8000-000000000003', 'unconfirmed@example.com', NULL, '{}', NULL, false, '2024-01-01'),
  ('00000000-0000-4000-8000-000000000004', 'banned@example.com', '2024-01-01', '{}', '2999-01-01', false, '2024-01-01'),
  ('00000000-0000-4000-8000-000000000005', NULL, NULL, '{}', NULL, true, '2024-01-01');
INSERT INTO public.profiles (id, full_name) VALUES ('00000000-0000-4000-8000-000000000002', 'Grace Hopper');
