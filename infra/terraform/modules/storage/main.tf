resource "aws_s3_bucket" "epochs" {
  bucket              = var.bucket
  object_lock_enabled = var.object_lock_days > 0
  force_destroy       = var.force_destroy
}

resource "aws_s3_bucket_versioning" "epochs" {
  bucket = aws_s3_bucket.epochs.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_object_lock_configuration" "epochs" {
  count  = var.object_lock_days > 0 ? 1 : 0
  bucket = aws_s3_bucket_versioning.epochs.bucket

  rule {
    default_retention {
      mode = "GOVERNANCE"
      days = var.object_lock_days
    }
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "epochs" {
  bucket = aws_s3_bucket.epochs.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_ownership_controls" "epochs" {
  bucket = aws_s3_bucket.epochs.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "epochs" {
  bucket                  = aws_s3_bucket.epochs.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# A put of the policy while the access block is being written is answered with a conflict.
resource "aws_s3_bucket_policy" "epochs" {
  bucket     = aws_s3_bucket.epochs.id
  policy     = templatefile("${var.policies}/bucket.json", { bucket_arn = aws_s3_bucket.epochs.arn })
  depends_on = [aws_s3_bucket_public_access_block.epochs]
}
