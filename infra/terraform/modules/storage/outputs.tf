# Whoever uses these names waits until the bucket refuses what it must refuse.
output "bucket" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.epochs.bucket
  depends_on  = [aws_s3_bucket_policy.epochs, aws_s3_bucket_versioning.epochs]
}

output "bucket_arn" {
  description = "ARN of the bucket."
  value       = aws_s3_bucket.epochs.arn
}
